"""Walks at random through a network's units, from layer to layer along large weights, in both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.masks.wiring import hidden_units


@dataclass(frozen=True)
class Layer:
    """Holds the probabilities of steps through a layer.

    forward: (inputs, outputs); backward: (outputs, inputs); rows sum to one. kernel: (outputs, inputs, entries).
    block: inputs of each unit before the layer: 1, or after flattening all places of a channel.
    offset: the position of its first weight among all.
    is_depthwise: whether a unit leads to itself alone.
    """

    name: str
    forward: Tensor
    backward: Tensor
    kernel: Tensor
    block: int
    offset: int
    is_depthwise: bool

    def step(self, units: Tensor, is_forward: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns the units that walks come to, and the positions of the weights that they cross, both (walks,)."""
        if is_forward:
            places = units * self.block + torch.randint(self.block, units.shape, generator=generator)
            inputs, outputs = places, units if self.is_depthwise else _drawn(self.forward[places], generator)
        else:
            outputs, inputs = units, units if self.is_depthwise else _drawn(self.backward[units], generator)
        column = torch.zeros_like(inputs) if self.is_depthwise else inputs
        kernel = self.kernel[outputs, column]
        entries = _drawn(kernel, generator) if kernel.shape[1] > 1 else torch.zeros_like(outputs)
        positions = (outputs * self.kernel.shape[1] + column) * self.kernel.shape[2] + entries
        return outputs if is_forward else inputs // self.block, positions + self.offset


@dataclass(frozen=True)
class Stretch:
    """Layers that walks pass one after another, or, half of them, the one layer of a projection shortcut instead."""

    main: tuple[Layer, ...]
    shortcut: Layer | None = None


def crossed(path: Sequence[Stretch], starts: Tensor, is_forward: bool, generator: torch.Generator) -> Tensor:
    """Returns (walks, layers) positions of the weights that walks cross, in the order of the walk; -1 for none.

    starts: input units of the network, or output units of walks that go back.
    """
    units, columns = starts.clone(), []
    for stretch in path if is_forward else path[::-1]:
        takes_shortcut = torch.zeros(len(units), dtype=torch.bool)
        if stretch.shortcut is not None:
            takes_shortcut = torch.rand(len(units), generator=generator) < 0.5
        before = units.clone()
        for layer in stretch.main if is_forward else stretch.main[::-1]:
            columns.append(_pass(layer, units, ~takes_shortcut, is_forward, generator))
        if stretch.shortcut is not None:
            units[takes_shortcut] = before[takes_shortcut]
            columns.append(_pass(stretch.shortcut, units, takes_shortcut, is_forward, generator))
    return torch.stack(columns, 1)


def _pass(layer: Layer, units: Tensor, who: Tensor, is_forward: bool, generator: torch.Generator) -> Tensor:
    """Moves the walks `who` through a layer, in place; returns the weight that each crosses, -1 for the others."""
    column = torch.full_like(units, -1)
    units[who], column[who] = layer.step(units[who], is_forward, generator)
    return column


def _drawn(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)


def stretches(network: nn.Module, weights: Mapping[str, Tensor]) -> list[Stretch]:
    """Returns the layers of `network` in the order in which a walk meets them.

    weights: the prunable weights by name, in module order. Layers are followed by the units that they join. Where
        several layers read the same units, a walk takes the next one in module order; the one beside it that writes
        the same units as the end of its branch is a projection shortcut.

    Raises `UserError` where the network cannot be traced, or not all layers lie on the path.
    """
    names = list(weights)
    reads, writes = _joined(network, weights)
    offsets = [0, *torch.tensor([weight.numel() for weight in weights.values()]).cumsum(0).tolist()]
    layers = {
        name: _layer(network, name, weights[name], reads.get(name, (-1, 1))[1], offset)
        for name, offset in zip(names, offsets, strict=False)
    }
    path, at = [Stretch((layers[names[0]],))], 0
    while names[at] in writes:
        group = writes[names[at]]
        readers = [j for j in range(at + 1, len(names)) if reads.get(names[j], (None, 1))[0] == group]
        if not readers:
            break
        start = readers[0]
        rest = [j for j in readers[1:] if all(writes.get(name) != group for name in names[start:j])]
        beside = [j for j in rest if names[j] in writes and writes[names[j]] == writes.get(names[j - 1])]
        if beside:
            main = tuple(layers[name] for name in names[start : beside[0]])
            path.append(Stretch(main, layers[names[beside[0]]]))
            at = beside[0]
        else:
            path.append(Stretch((layers[names[start]],)))
            at = start
    met = {layer.name for stretch in path for layer in (*stretch.main, stretch.shortcut) if layer is not None}
    if missing := [name for name in names if name not in met]:
        raise UserError(f"no walk through {type(network).__name__} is seen to lead through '{missing[0]}'")
    return path


def _joined(network: nn.Module, weights: Mapping[str, Tensor]) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """Returns the group of units that each layer reads, with its block, and the group that it writes."""
    reads: dict[str, tuple[int, int]] = {}
    writes: dict[str, int] = {}
    for group, units in enumerate(hidden_units(network) if len(weights) > 1 else []):
        for axis in units.axes:
            if axis.name not in weights:
                continue
            if axis.dim == 0:
                writes[axis.name] = group
                if _is_depthwise(network, axis.name):
                    reads[axis.name] = (group, 1)
            else:
                reads[axis.name] = (group, axis.block)
    return reads, writes


def _is_depthwise(network: nn.Module, name: str) -> bool:
    return int(getattr(network.get_submodule(name.rpartition(".")[0]), "groups", 1)) > 1


def _layer(network: nn.Module, name: str, weight: Tensor, block: int, offset: int) -> Layer:
    entries = weight.detach().abs().double().cpu()
    sizes = entries.flatten(2) if entries.dim() > 2 else entries[..., None]
    norm = sizes.sum(2)
    return Layer(name, _shares(norm.T), _shares(norm), _shares(sizes), block, offset, _is_depthwise(network, name))


def _shares(sizes: Tensor) -> Tensor:
    """Returns the shares of the last dimension's sum; all alike where it is zero."""
    total = sizes.sum(-1, keepdim=True)
    return torch.where(total > 0, sizes / total.clamp_min(1e-300), 1 / sizes.shape[-1])
