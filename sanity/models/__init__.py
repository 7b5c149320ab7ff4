"""Knows models and initialisations by name, without importing torch; `build` makes a network for any input size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sanity.models.registry import AS_BUILT, AS_BUILT_NONZERO, INITS, LIBRARIES, REGISTRY

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["AS_BUILT", "AS_BUILT_NONZERO", "INITS", "LIBRARIES", "REGISTRY", "build", "fingerprint", "initialise"]

_VERSION = "3"
"""Of how networks that are not ours are built, drawn, pruned and measured; raised when their results change."""


def fingerprint(name: str, init: str = "") -> str:
    """Returns a hash of the code of a model and of its initialisation, empty where both are ours."""
    code = REGISTRY.fingerprint(name)
    return (f"{code}/{_VERSION}" if code else "") + (INITS.fingerprint(init) if init else "")


def build(
    name: str,
    /,
    input_shape: Sequence[int],
    classes: int,
    *,
    init: str | None = None,
    generator: "torch.Generator | None" = None,
    again: bool = False,
    **options: Any,
) -> "nn.Module":
    """Builds a network by name and draws its weights.

    Args:
        name: a registered model, `torchvision:NAME`, `timm:NAME`, or `module:NAME` or `file.py:NAME` of a class or
            function.
        input_shape: (C, H, W) of one example.
        classes: the number of logits, at least 2.
        init: the initialisation's name; None takes the model's own `default_init`.
        generator: a CPU generator; None seeds one from torch's global generator.
        again: whether the weights are those that `reinit` starts from (see `sanity.models.base.Model.rebuild`).
        options: the model's options, typed or as text.

    Raises:
        UserError: for an unknown name, option or initialisation, an input that is too small, and a user's network
            that cannot be built.
    """
    from sanity.models.building import build_by_name  # which imports torch

    return build_by_name(name, input_shape, classes, options, init=init, generator=generator, again=again)


def initialise(model: "nn.Module", init: str, generator: "torch.Generator | None" = None) -> None:
    """Redraws every parameter of any `model` in place and resets its buffers; see `sanity.models.redraw`."""
    from sanity.models.redraw import initialise  # which imports torch

    initialise(model, init, generator)
