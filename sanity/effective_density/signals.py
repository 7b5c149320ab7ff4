"""Runs a network on signals instead of numbers, so that its gradient says which weights lie on a path.

A signal is a tensor that depends on the network's input: positive where a path of kept weights reaches, zero where none
does. Within `AllPaths` each operator does to a signal what it does to paths:

- convolutions and linear layers pass what their kept weights pass; biases are no paths;
- activations, normalisation and softmax pass each unit's signal on: statistics over units are no paths;
- a sum, a difference or a maximum passes all operands, pooling by the maximum every position;
- a product or quotient of two signals passes both; a factor that is no signal passes where it is not zero;
- learned constants that are concatenated to signals (class tokens) count as inputs, added ones as biases;
- recurrent layers, which are not pruned, pass a signal to all units of its time step and the later ones.

An operator without a rule does to signals what it does to numbers: right for all that move or average them.
"""

from typing import Any

from torch import Tensor

from sanity.effective_density.algebra import InDouble, is_signal, is_weight, mark_as_weight, tensors
from sanity.effective_density.layers import LAYERS
from sanity.effective_density.operators import MAKING_SIGNALS, RULES

_RULES = {**RULES, **LAYERS}


class AllPaths(InDouble):
    """Context manager; within it torch's operators pass signals on by their rules."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        inputs = list(tensors(args, kwargs))
        has_signal = any(map(is_signal, inputs))
        rule = _RULES.get(name.strip("_")) if has_signal or name in MAKING_SIGNALS else None
        if rule is None:
            outputs = self.doubled(function(*args, **kwargs))
            if not has_signal and any(map(is_weight, inputs)):
                for output in filter(is_signal, tensors(outputs)):
                    mark_as_weight(output)
            return outputs
        signal = rule(function, args, kwargs)
        in_place = name.endswith("_") and not name.endswith("__") and isinstance(signal, Tensor)
        return args[0].copy_(signal) if in_place and signal is not args[0] else signal
