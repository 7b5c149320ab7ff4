"""Computes sums and products of signals, and what a layer's weights pass of them."""

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Operator = Callable[..., Any]


class _Sign(torch.autograd.Function):
    """Whether there is signal: 1 or 0 on the way forward, 1 or 0 on the way back, so that depth cannot overflow."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(context: Any, *grads: Tensor) -> Tensor:
        return (grads[0] > 0).to(grads[0].dtype)


def sign(signal: Tensor) -> Tensor:
    """Returns 1 where there is signal, 0 elsewhere; its gradient is 1 where a path leads on, 0 elsewhere."""
    result: Tensor = _Sign.apply(signal)
    return result


class InDouble(TorchFunctionMode):
    """Context manager; within it float64 networks bear tensors that their own code makes in float32."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.doubled(function(*args, **(kwargs or {})))

    @staticmethod
    def doubled(output: Any) -> Any:
        is_narrow = isinstance(output, Tensor) and output.dtype in (torch.float32, torch.float16, torch.bfloat16)
        return output.double() if is_narrow else output


def mark_as_weight(tensor: Tensor) -> None:
    """Marks a tensor as weights, so that it is no signal although it wants a gradient."""
    tensor._is_weight = True  # type: ignore[attr-defined]


def is_weight(value: object) -> bool:
    """Returns whether `value` is a tensor of weights that are pruned, or computed from such tensors alone."""
    return hasattr(value, "_is_weight")


def is_signal(value: object) -> bool:
    """Returns whether `value` is a tensor that depends on the network's input."""
    return isinstance(value, Tensor) and value.requires_grad and not is_weight(value)


def as_factor(value: Any) -> Any:
    """Returns what a signal is multiplied by: signals and weights as they are, constants as 1 where they are not 0."""
    if isinstance(value, Tensor):
        return value if value.requires_grad else (value != 0).to(torch.float64)
    return float(value != 0) if isinstance(value, int | float) else value


def total(*terms: Any) -> Tensor:
    """Returns the signal of a sum. Terms that are no signals add nothing but their shape."""
    signals = [term if is_signal(term) else torch.zeros_like(term, dtype=torch.float64) for term in tensors(*terms)]
    return reduce(torch.add, signals)


def product(operator: Operator, *factors: Any, **options: Any) -> Tensor:
    """Returns the signal of `operator(*factors)`, which multiplies: each factor's by itself.

    Factors that are signals do not hinder one another; weights and constants pass where they are not zero.
    """
    chosen = [place for place, factor in enumerate(factors) if is_signal(factor)]
    terms = [
        operator(*(_beside(factor, at == place) for at, factor in enumerate(factors)), **options) for place in chosen
    ]
    return sign(total(*terms))


def _beside(factor: Any, chosen: bool) -> Any:
    return torch.ones_like(factor) if is_signal(factor) and not chosen else as_factor(factor)


def weighted(operator: Operator, signal: Tensor, weight: Tensor, *settings: Any, **options: Any) -> Tensor:
    """Returns what a layer with `weight` passes of `signal`; an input that is a constant counts as signal too."""
    inputs = signal if is_signal(signal) else as_factor(signal).detach().requires_grad_()
    return product(lambda x, w: operator(x, w, *settings, **options), inputs, weight)


def tensors(*values: Any) -> Iterator[Tensor]:
    """Yields all tensors within nested lists, tuples and mappings."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors(*value)
        elif isinstance(value, Mapping):
            yield from tensors(*value.values())
