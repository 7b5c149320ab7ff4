"""The hidden units of every registered network are those that Torch-Pruning, which traces gradients, finds."""

import pytest
import torch
import torch_pruning
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from sanity.masks.wiring import hidden_units
from sanity.models import REGISTRY
from sanity.models.base import Model

SHAPE = (3, 32, 32)
Groups = set[tuple[int, frozenset[tuple[str, int, int]]]]


def tensors(module: nn.Module, prunes_inputs: bool) -> list[tuple[str, int]]:
    """The tensors of a layer, and their dimensions, that lose entries with its inputs or its outputs."""
    if isinstance(module, _BatchNorm):
        return [(name, 0) for name in ("weight", "bias", "running_mean", "running_var")]
    if prunes_inputs:
        return [("weight", 1)]
    return [("weight", 0)] if module.bias is None else [("weight", 0), ("bias", 0)]


def by_library(network: nn.Module) -> Groups:
    """What the library removes with the first output of each layer, where another layer reads it."""
    graph = torch_pruning.DependencyGraph()
    graph.build_dependency(network, torch.zeros(2, *SHAPE, device="meta"))
    names = {module: name for name, module in network.named_modules()}
    groups = set()
    for layer in [module for module in graph.module2node if isinstance(module, _ConvNd | nn.Linear)]:
        pruner = graph.get_pruner_of_module(layer)
        axes = set()
        for step, entries in graph.get_pruning_group(layer, pruner.prune_out_channels, [0]):
            if step.target.module in names:
                prunes_inputs = step.handler.__name__ == "prune_in_channels"
                axes |= {
                    (f"{names[step.target.module]}.{name}", dim, len(entries))
                    for name, dim in tensors(step.target.module, prunes_inputs)
                }
        if any(dim == 1 for _, dim, _ in axes):  # something reads them
            groups.add((pruner.get_out_channels(layer), frozenset(axes)))
    return groups


@pytest.mark.parametrize("name", REGISTRY.names())
def test_units_are_those_of_torch_pruning(name: str) -> None:
    with torch.device("meta"):
        network = REGISTRY.load_subclass(name, Model)().build(SHAPE, 10)
    units = hidden_units(network)
    assert {
        (group.count, frozenset((axis.name, axis.dim, axis.block) for axis in group.axes)) for group in units
    } == by_library(network)
