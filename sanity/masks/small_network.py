"""Takes removed channels out of a network: the small network computes what the masked one does, with less work."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from sanity.masks.channels import removed_channels
from sanity.masks.operations import operations
from sanity.masks.wiring import Units, hidden_units


@dataclass(frozen=True)
class Size:
    """How large a network is. flops: of one example's forward pass, a multiplication and an addition each counted."""

    parameters: int
    flops: int


@torch.no_grad()
def small_network(network: nn.Module, mask: Mapping[str, Tensor]) -> nn.Module:
    """Returns a copy of `network` without the channels that `mask` removes, and without the weights that read them.

    network: holds the weights. It is not changed. A removed channel's scale, shift and bias count as zero, as
    `sanity.masks.channels.gone_with` has it.
    mask: parameter name -> bool, true where a weight is kept; other removed weights become zeros.

    Raises `UserError` for a network whose wiring is not understood.
    """
    small = copy.deepcopy(network)
    parameters, buffers = dict(small.named_parameters()), dict(small.named_buffers())
    for name, layer in mask.items():
        parameters[name].mul_(layer.to(parameters[name].device))
    shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
    for units in hidden_units(network):
        removed = removed_channels(mask, units, shapes)
        if removed is not None and removed.any():
            _take_out(units, (~removed).nonzero().squeeze(1), {**buffers, **parameters})
    for module in small.modules():
        _resize(module)
    return small


def _take_out(units: Units, left: Tensor, tensors: Mapping[str, Tensor]) -> None:
    """Keeps of every tensor the entries of the units that are `left`."""
    for axis in units.axes:
        tensor = tensors[axis.name]
        index = (left[:, None] * axis.block + torch.arange(axis.block)).flatten().to(tensor.device)
        tensor.data = tensor.data.index_select(axis.dim, index)


def _resize(module: nn.Module) -> None:
    """Sets the numbers of channels that a layer states to those that its weight has."""
    if isinstance(module, _ConvNd):
        module.out_channels = len(module.weight)
        if module.groups > 1:  # depthwise: a channel in, a channel out
            module.groups = module.out_channels
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _BatchNorm) and module.running_mean is not None:
        module.num_features = len(module.running_mean)


def size_of(network: nn.Module, input_shape: tuple[int, int, int]) -> Size:
    """Counts the parameters of `network`, and the operations of its convolutions and linear layers on one example."""
    return Size(sum(parameter.numel() for parameter in network.parameters()), operations(network, input_shape).total)
