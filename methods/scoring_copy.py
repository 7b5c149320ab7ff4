"""Copies the network for scoring, so that the network itself stays bit for bit as it is."""

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sanity.errors import UserError

_UNPRUNED = "unpruned_weights"
_START = "start_weights"


@contextmanager
def global_rng_untouched(device: torch.device) -> Iterator[None]:
    """Context manager; on exit the global generators of Python, numpy and torch are as before."""
    python, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)


@contextmanager
def full_precision(device: torch.device, recurrent: bool = False) -> Iterator[None]:
    """Context manager; within it: no autocast, TF32 or bf16, and kernels that repeat to the bit and have derivatives.

    Fused attention has no second derivative, and cuDNN's recurrent layers (`recurrent`) none in evaluation mode.
    """
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("highest")
        with (
            torch.autocast(device.type, enabled=False),
            torch.backends.cudnn.flags(enabled=not recurrent, benchmark=False, deterministic=True, allow_tf32=False),
            sdpa_kernel(SDPBackend.MATH),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def scoring_copy(
    model: nn.Module, batches: Sequence[tuple[Tensor, Tensor]], double: bool
) -> Iterator[tuple[nn.Module, list[tuple[Tensor, Tensor]]]]:
    """Context manager; yields copies of `model` and `batches`: float32, or float64 if `double` or the model is.

    The copy is in evaluation mode and its parameters want gradients. Global random states are restored afterwards,
    also after an error.
    """
    first = next(model.parameters())
    precision = torch.float64 if double or first.dtype == torch.float64 else torch.float32
    with ExitStack() as stack:
        stack.enter_context(global_rng_untouched(first.device))
        recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
        stack.enter_context(full_precision(first.device, recurrent))
        stack.enter_context(torch.enable_grad())
        net = copy.deepcopy(model).to(precision).train(False)
        for parameter in net.parameters():
            parameter.grad = None
            parameter.requires_grad_(True)
        yield net, [(x.to(first.device, precision), y.to(first.device)) for x, y in batches]


@contextmanager
def statistics_needed(owner: str) -> Iterator[None]:
    """Raises `UserError`, in the name of the method `owner`, where batch norm finds one value to take statistics of."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise UserError(
            f"{owner}: batch norm takes its statistics from a single value; score on more examples, or set "
            "batch_norm=running where it has running statistics"
        ) from error


def remember(net: nn.Module, weights: Mapping[str, nn.Parameter]) -> None:
    """Keeps the values of `weights` beside the copy `net`, before any is pruned."""
    net.__dict__[_UNPRUNED] = {name: weight.detach().clone() for name, weight in weights.items()}


def remember_start(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Keeps the weights before training beside the trained network `net`, and beside copies that are made of it."""
    net.__dict__[_START] = dict(weights)


def start_of(net: nn.Module) -> dict[str, Tensor]:
    """Returns the weights before training, by parameter name. Raises `UserError` where `net` does not know them."""
    if _START not in net.__dict__:
        raise UserError(
            "the weights before training are not known; call methods.scoring_copy.remember_start(network, weights)"
        )
    weights: dict[str, Tensor] = net.__dict__[_START]
    return weights


def original_weights(net: nn.Module) -> dict[str, Tensor]:
    """Returns the weights of the copy `net` as they were before any was pruned; for methods that revive."""
    present = {name: parameter.detach() for name, parameter in net.named_parameters()}
    values: dict[str, Tensor] = net.__dict__.get(_UNPRUNED, present)
    return values


@torch.no_grad()
def restore(net: nn.Module, weights: Mapping[str, nn.Parameter]) -> None:
    """Gives `weights` of the copy `net` the values that it remembers."""
    for name, weight in weights.items():
        weight.copy_(original_weights(net)[name])


@torch.no_grad()
def zero(weights: Mapping[str, nn.Parameter], positions: Mapping[str, Tensor]) -> None:
    """Sets the weights at these flat positions to zero."""
    for name, weight in weights.items():
        weight.put_(positions[name], weight.new_zeros(()).expand(len(positions[name])))
