"""Finds the hidden units of a network: which slices of which tensors belong to one unit, so that units can be moved.

The network is traced (`torch.fx`). Every activation has a space of units, its channels; layers that hand channels on
keep the space, a sum of two activations makes their spaces one, as a residual connection does. Anything else that
touches activations is refused, since a permutation might then change the function.
"""

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from sanity.errors import UserError, reason

_PASSING_MODULES = (
    nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU,
    nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid,
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.ZeroPad2d,
)  # fmt: skip
_PASSING = {
    "relu", "relu_", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "hardtanh", "hardswish", "dropout",
    "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "contiguous", "clone",
}  # fmt: skip
_PAIRS = {operator.add, operator.iadd, operator.sub, operator.mul, torch.add, torch.sub, torch.mul}
_PAIR_NAMES = {"add", "add_", "sub", "mul"}
_ARITHMETIC = ("_operator", "math")
_SPATIAL = ({2, 3}, {-2, -1}, {2, -1}, {3, -2})


@dataclass(frozen=True)
class Axis:
    """A dimension of a parameter or buffer along which `block` consecutive entries belong to one unit."""

    name: str
    dim: int
    block: int


@dataclass(frozen=True)
class Units:
    """Hidden units that can be put in another order: `count` of them, along every one of `axes` alike."""

    count: int
    axes: tuple[Axis, ...]


def hidden_units(network: nn.Module) -> list[Units]:
    """Returns all groups of hidden units of `network`; inputs and outputs are none.

    Raises:
        UserError: in one line that names the layer, where units cannot be followed through the network, and where it
            has no hidden units.
    """
    try:
        graph = fx.Tracer().trace(network)
    except Exception as error:  # a user's forward pass may fail in any way on symbols
        raise UserError(f"the wiring of {type(network).__name__} cannot be traced: {reason(error)}") from error
    units = _Wiring(network).read(graph)
    if not units:
        raise UserError(f"{type(network).__name__} has no hidden units")
    return units


@dataclass(eq=False)
class _Space:
    """The channels of an activation. `size` is None for the input's, which stay as they are."""

    size: int | None
    is_fixed: bool = False
    axes: dict[Axis, None] = field(default_factory=dict)
    same: "_Space | None" = None

    def root(self) -> "_Space":
        return self if self.same is None else self.same.root()


@dataclass(frozen=True)
class _Activation:
    """Values of a space: (N, channels, ...), or (N, features) where `is_flat`, each channel's features together."""

    space: _Space
    is_flat: bool = False


class _Wiring:
    """Follows activations through a traced network and gathers the axes of every space."""

    def __init__(self, network: nn.Module) -> None:
        self.modules = dict(network.named_modules())
        tensors = [*network.named_parameters(), *network.named_buffers()]
        self.names = {id(tensor): name for name, tensor in tensors}
        self.spaces: list[_Space] = []
        self.owners: dict[tuple[str, int], _Space] = {}
        self.values: dict[fx.Node, _Activation | None] = {}

    def read(self, graph: fx.Graph) -> list[Units]:
        for node in graph.nodes:
            if node.op == "output":
                for value in self._arguments(node):
                    value.space.root().is_fixed = True
            else:
                self.values[node] = self._value(node)
        roots = dict.fromkeys(space.root() for space in self.spaces)
        free = [space for space in roots if space.size and space.axes and not space.is_fixed]
        return [Units(space.size or 0, tuple(space.axes)) for space in free]

    def _value(self, node: fx.Node) -> _Activation | None:
        if node.op == "placeholder":
            return _Activation(self._new(None, is_fixed=True))
        inputs = self._arguments(node)
        if not inputs:
            if node.op in ("get_attr", "call_module") or getattr(node.target, "__module__", "") not in _ARITHMETIC:
                raise self._refusal(node)
            return None  # a size, or a number made of sizes
        if node.op == "call_module":
            return self._of_module(node, self.modules[str(node.target)], inputs[0])
        return self._of_function(node, inputs)

    def _arguments(self, node: fx.Node) -> list[_Activation]:
        values = (self.values.get(source) for source in node.all_input_nodes)
        return [value for value in values if value is not None]

    # -- layers ----------------------------------------------------------------------------------------------------

    def _of_module(self, node: fx.Node, module: nn.Module, value: _Activation) -> _Activation:
        if isinstance(module, _ConvNd) and not isinstance(module, _ConvTransposeNd) and not value.is_flat:
            return self._of_convolution(node, module, value)
        if isinstance(module, nn.Linear) and value.is_flat:
            self._add(node, value, module.weight, 1, module.in_features)
            return _Activation(self._layer(node, module.out_features, module.weight, module.bias), is_flat=True)
        if isinstance(module, _BatchNorm):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                if tensor is not None:
                    self._add(node, value, tensor, 0, module.num_features)
            return value
        if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
            return _Activation(value.space, is_flat=True)
        if isinstance(module, _PASSING_MODULES):
            return value
        raise self._refusal(node)

    def _of_convolution(self, node: fx.Node, module: _ConvNd, value: _Activation) -> _Activation:
        if module.groups == 1:
            self._add(node, value, module.weight, 1, module.in_channels)
            return _Activation(self._layer(node, module.out_channels, module.weight, module.bias))
        if module.groups == module.in_channels == module.out_channels:  # depthwise: every channel by itself
            for tensor in (module.weight, module.bias):
                if tensor is not None:
                    self._add(node, value, tensor, 0, module.out_channels)
            return value
        raise self._refusal(node)

    def _layer(self, node: fx.Node, size: int, weight: Tensor, bias: Tensor | None) -> _Space:
        """Makes the space of a layer's outputs."""
        activation = _Activation(self._new(size))
        for tensor in (weight, bias):
            if tensor is not None:
                self._add(node, activation, tensor, 0, size)
        return activation.space

    # -- functions -------------------------------------------------------------------------------------------------

    def _of_function(self, node: fx.Node, inputs: list[_Activation]) -> _Activation | None:
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        if node.target in _PAIRS or name in _PAIR_NAMES:
            return self._pair(node, inputs)
        first = node.args[0] if node.args else None
        if len(inputs) > 1 or not isinstance(first, fx.Node) or self.values.get(first) != inputs[0]:
            raise self._refusal(node)
        if name in ("size", "dim") or (name == "getattr" and node.args[1] in ("shape", "device", "dtype")):
            return None
        if self._flattens(node, name, inputs[0]):
            return _Activation(inputs[0].space, is_flat=not node.kwargs.get("keepdim", False))
        if name in _PASSING:
            return inputs[0]
        raise self._refusal(node)

    def _flattens(self, node: fx.Node, name: str, value: _Activation) -> bool:
        """Whether a function turns (N, channels, ...) into (N, features), each channel's features together."""
        if name == "flatten":
            return (*node.args[1:], *node.kwargs.values()) in ((1,), (1, -1))
        if name in ("view", "reshape"):
            of_inputs = value.space.root().size is None
            return len(node.args) == 3 and (of_inputs or (isinstance(node.args[2], int) and node.args[2] == -1))
        return name == "mean" and not value.is_flat and self._dims(node) in _SPATIAL

    @staticmethod
    def _dims(node: fx.Node) -> set[int]:
        dims: Any = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else ())
        return set(dims) if isinstance(dims, list | tuple) else {dims}

    def _pair(self, node: fx.Node, inputs: list[_Activation]) -> _Activation:
        """The sum, difference or product of two activations, or of one and a number."""
        if len(inputs) == 2:
            first, second = inputs
            if first.is_flat != second.is_flat or not self._unite(first.space, second.space):
                raise self._refusal(node)
        elif any(isinstance(argument, fx.Node) and argument.op == "get_attr" for argument in node.args):
            raise self._refusal(node)
        return inputs[0]

    # -- spaces ----------------------------------------------------------------------------------------------------

    def _new(self, size: int | None, is_fixed: bool = False) -> _Space:
        self.spaces.append(_Space(size, is_fixed))
        return self.spaces[-1]

    def _add(self, node: fx.Node, value: _Activation, tensor: Tensor, dim: int, entries: int) -> None:
        """Adds a dimension of a tensor, of `entries`, to the space of an activation."""
        space, name = value.space.root(), self.names.get(id(tensor))
        if name is None:  # computed from others, as with weight norm
            raise self._refusal(node)
        owner = self.owners.setdefault((name, dim), space)
        if not self._unite(owner, space):
            raise self._refusal(node)
        if space.size is None:
            return
        block, rest = divmod(entries, space.size)
        if (
            rest
            or (block > 1 and not value.is_flat)
            or any((axis.name, axis.dim) == (name, dim) and axis.block != block for axis in owner.root().axes)
        ):
            raise self._refusal(node)
        space.root().axes[Axis(name, dim, block)] = None

    @staticmethod
    def _unite(first: _Space, second: _Space) -> bool:
        """Makes two spaces one; returns whether they have equally many units."""
        first, second = first.root(), second.root()
        if first is second:
            return True
        if first.size != second.size:
            return False
        second.same = first
        first.axes |= second.axes
        first.is_fixed |= second.is_fixed
        return True

    def _refusal(self, node: fx.Node) -> UserError:
        target = self.modules.get(str(node.target)) if node.op == "call_module" else None
        layer = type(target).__name__ if target is not None else getattr(node.target, "__name__", str(node.target))
        where = f"'{node.target}' ({layer})" if target is not None else f"{layer} ('{node.name}')"
        return UserError(f"the wiring of this network is not understood at {where}")


def reordered(tensor: Tensor, name: str, units: Units, order: Tensor) -> Tensor:
    """Returns the tensor called `name` with its units in another order.

    order: a permutation of `units.count`. A tensor that holds none of the units is returned as it is.
    """
    for axis in _axes(units, name):
        index = (order[:, None] * axis.block + torch.arange(axis.block)).flatten()
        tensor = tensor.index_select(axis.dim, index.to(tensor.device))
    return tensor


def _axes(units: Units, name: str) -> Iterator[Axis]:
    return (axis for axis in units.axes if axis.name == name)
