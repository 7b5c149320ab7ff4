"""What every model is: a frozen dataclass of options that builds a network for any input shape and class count."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from sanity.errors import UserError
from sanity.models import REGISTRY
from sanity.models.init import initialise
from sanity.options import fill

InputShape = tuple[int, int, int]


@dataclass(frozen=True)
class Model(ABC):
    """A family's member with its options; the first line of the subclass's docstring is its line in the help."""

    default_init: ClassVar[str] = "kaiming_fan_in"
    smallest_side: ClassVar[int] = 1

    @abstractmethod
    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        """The network from (N, *input_shape) to logits (N, classes); whatever weights it holds are redrawn after."""


def build_by_name(
    name: str,
    input_shape: Sequence[int],
    classes: int,
    *,
    init: str | None,
    generator: torch.Generator | None,
    **options: Any,
) -> nn.Module:
    """See `sanity.models.build`. With a `generator`, torch's global generator is left as it was."""
    model: Model = fill(REGISTRY.load(name), options, f"model {name}")
    shape = _checked(name, model, input_shape, classes)
    with torch.random.fork_rng(devices=[]):
        network = model.build(shape, classes)
    initialise(network, init or model.default_init, generator)
    return network


def _checked(name: str, model: Model, input_shape: Sequence[int], classes: int) -> InputShape:
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise UserError(f"model {name}: the input shape must be (channels, height, width), got {tuple(input_shape)}")
    if classes < 2:
        raise UserError(f"model {name}: classes={classes}, but telling classes apart needs at least 2")
    channels, height, width = input_shape
    if min(height, width) < model.smallest_side:
        side = model.smallest_side
        raise UserError(f"model {name}: inputs of {height}x{width} are too small, it needs {side}x{side} or more")
    return channels, height, width
