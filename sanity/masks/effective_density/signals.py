"""Runs a network on signals instead of numbers, so that its gradient says which weights lie on a path.

A signal is a tensor that depends on the network's input: positive where a path of kept weights reaches, zero where none
does. Within `AllPaths` each operator does to a signal what it does to paths:

- convolutions and linear layers pass what their kept weights pass; biases are no paths;
- activations, normalisation and softmax pass each unit's signal on: statistics over units are no paths;
- a sum, a difference or a maximum passes all operands, pooling by the maximum every position;
- a product or quotient of two signals passes both; a factor that is no signal passes where it is not zero;
- learned constants that are concatenated to signals (class tokens) count as inputs, added ones as biases;
- recurrent layers, which are not pruned, pass a signal to all units of its time step and the later ones.

An operator without a rule does to signals what it does to numbers: right for all that move or average them. It is
tried whether it does: twice the signals must give twice the output, several must add up, none may come out negative.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from sanity.masks.effective_density.algebra import InDouble, Operator, is_signal, is_weight, mark_as_weight, tensors
from sanity.masks.effective_density.layers import LAYERS
from sanity.masks.effective_density.operators import MAKING_SIGNALS, MOVING, RULES

_RULES = {**RULES, **LAYERS}
_INSPECTING = ("__get__", "size", "dim", "numel", "is_floating_point", "requires_grad_")
"""What is asked of a tensor, which changes no signal."""


class UnknownOperatorError(NotImplementedError):
    """An operator of which it is not known what it does to paths."""


@torch.no_grad()
def _moves(operator: Operator, args: Any, kwargs: Any) -> bool:
    """Returns whether `operator` is linear in its signals and makes none negative, as by moving or averaging them."""
    count = sum(map(is_signal, tensors(args, kwargs)))

    def outputs(*factors: float) -> list[Tensor]:
        left = iter(factors)

        def scaled(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return value.detach() * next(left) if is_signal(value) else value.detach().clone()

        result = operator(*tree_map(scaled, args), **tree_map(scaled, kwargs))
        return [output for output in tensors(result) if output.is_floating_point() or output.is_complex()]

    once, twice = outputs(*[1.0] * count), outputs(*[2.0] * count)
    parts = [outputs(*(float(at == place) for at in range(count))) for place in range(count)]
    added = [sum(pieces[1:], pieces[0]) for pieces in zip(*parts, strict=True)]
    return all(
        not output.is_complex() and bool((output >= 0).all()) and torch.allclose(2 * output, double)
        and torch.allclose(output, total)
        for output, double, total in zip(once, twice, added, strict=True)
    )  # fmt: skip


class AllPaths(InDouble):
    """Context manager; within it torch's operators pass signals on by their rules.

    last: the operator that a signal met last.

    Raises `UnknownOperatorError` for an operator without a rule that does more than to move or average signals.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        inputs = list(tensors(args, kwargs))
        has_signal = any(map(is_signal, inputs))
        rule = _RULES.get(name.strip("_")) if has_signal or name in MAKING_SIGNALS else None
        if has_signal and name not in _INSPECTING:
            self.last = name
            if rule is None and name.strip("_") not in MOVING and not _moves(function, args, kwargs):
                raise UnknownOperatorError(
                    f"operator {name} has no rule, and does more to signals than to move or average them"
                )
        if rule is None:
            outputs = self.doubled(function(*args, **kwargs))
            if not has_signal and any(map(is_weight, inputs)):
                for output in filter(is_signal, tensors(outputs)):
                    mark_as_weight(output)
            return outputs
        signal = rule(function, args, kwargs)
        in_place = name.endswith("_") and not name.endswith("__") and isinstance(signal, Tensor)
        return args[0].copy_(signal) if in_place and signal is not args[0] else signal
