"""Defines the pattern of whole channels: a filter goes as one, and with it what is added to its output elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sanity.errors import UserError
from sanity.masks.allocation import Allocation, Shapes, Uniform, budget
from sanity.masks.layerwise import name_of
from sanity.masks.pattern_base import Pattern, Selection, Shape, among, by_layer
from sanity.masks.ranking import joined, ranked
from sanity.masks.wiring import Units, hidden_units
from sanity.seeds import derive

NAMES = ("channel", "inner_channel")


@dataclass(frozen=True)
class Channels(Pattern):
    """Output channels of convolutions, kept or removed whole; the ratio is the share of channels that goes.

    A channel's score is the sum over its filter, and the mean of that over the layers that are coupled. At least one
    channel stays in every layer. Layers that no space names, the classifier among them, stay whole.

    spaces: the layers whose channels go together, by the names of their weights; see `channel_spaces`.
    """

    spaces: tuple[tuple[str, ...], ...] = ()
    name: str = "channel"

    keeps_units_whole = True

    def __str__(self) -> str:
        return self.name

    def members(self, shape: Shape, device: torch.device) -> Tensor:
        return torch.arange(prod(shape), device=device).view(shape[0], -1)

    def reduce(self, score: Tensor) -> Tensor:
        return score.reshape(len(score), -1).sum(1)

    def positions(self, groups: Tensor, shape: Shape) -> Tensor:
        size = prod(shape[1:])
        return (groups[:, None] * size + torch.arange(size, device=groups.device)).flatten()

    def tally(self, groups: Mapping[str, int], shapes: Shapes) -> int:
        return sum(groups[names[0]] for names in self._pruned(shapes))

    def rearranged(self, mask: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Permutes the channels of every space, alike in the layers that are coupled."""
        moved = dict(mask)
        for names in self._pruned(mask):
            order = torch.randperm(len(mask[names[0]]), generator=derive(generator, names[0]))
            moved |= {name: mask[name][order.to(mask[name].device)] for name in names}
        return moved

    def check(self, shapes: Shapes, ratio: float, rule: Allocation | None) -> None:
        spaces = self._pruned(shapes)
        if not spaces:
            raise UserError(f"pattern={self}: no convolution of this network has channels that can be removed")
        if not (rule is None or isinstance(rule, Uniform)):
            raise UserError(
                f"pattern={self} allocation={name_of(rule)}: channels are shared by allocation=global or uniform alone"
            )
        channels = sum(shapes[names[0]][0] for names in spaces)
        if round((1 - ratio) * channels) < len(spaces):
            most = 1 - len(spaces) / channels
            raise UserError(
                f"ratio={ratio}: pattern={self} keeps a channel in each of {len(spaces)} layers of {channels} channels "
                f"together, so that at most {most:.6g} can go"
            )

    def select(
        self,
        scores: Mapping[str, Tensor],
        places: Mapping[str, Tensor] | None,
        shapes: Shapes,
        ratio: float,
        rule: Allocation | None,
        keep: int | None = None,
    ) -> Selection:
        spaces = {names[0]: names for names in self._pruned(shapes)}
        means = {first: torch.stack([scores[name] for name in names]).mean(0) for first, names in spaces.items()}
        widths = {first: (shapes[first][0],) for first in spaces}
        channels = sum(width for (width,) in widths.values())
        count = max(budget(channels, ratio) if keep is None else keep, len(spaces))
        if rule is None:
            kept, tied = _ranked_together(means, count)
        else:
            shares = Uniform().counts(widths, 1 - count / channels) if count < channels else {}
            counts = among({first: max(shares.get(first, len(mean)), 1) for first, mean in means.items()}, means)
            ranks = {first: ranked(mean, counts[first]) for first, mean in means.items()}
            kept, tied = ({first: pair[place] for first, pair in ranks.items()} for place in (0, 1))
        selected = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
        selected |= {name: kept[first] for first, names in spaces.items() for name in names}
        return Selection(selected, {name: tied[first] for first in tied for name in spaces[first]})

    def spread(self, scores: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns scores of the shapes of `like` whose sum over a filter is its channel's score.

        scores: (channels,) by the first layer of each space. A filter's first weight has the score, the others none.
        """
        weights = {name: torch.zeros_like(weight, dtype=torch.float64) for name, weight in like.items()}
        for names in self._pruned(like):
            for name in names:
                weights[name].view(len(weights[name]), -1)[:, 0] = scores[names[0]]
        return weights

    def _pruned(self, layers: Mapping[str, object]) -> list[tuple[str, ...]]:
        """Returns the spaces all of whose layers are among these."""
        return [names for names in self.spaces if all(name in layers for name in names)]


def _ranked_together(scores: Mapping[str, Tensor], count: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns the `count` highest of all layers, the best of every layer among them, and which of them tie."""
    protected = []
    for score in scores.values():
        score = score.clone()
        score[score.argmax()] = torch.inf
        protected.append(score)
    return by_layer(*ranked(joined(protected), count), scores)


def of_network(name: str, network: nn.Module | None) -> Channels:
    """Returns the pattern `channel` or `inner_channel` of a network; of None one that leaves every layer whole.

    Raises `UserError` for a network whose wiring is not understood.
    """
    if network is None:
        return Channels((), name)
    try:
        return Channels(channel_spaces(network, inner=name == "inner_channel"), name)
    except UserError as error:
        raise UserError(f"pattern={name}: {error}") from None


def channel_spaces(network: nn.Module, inner: bool = False) -> tuple[tuple[str, ...], ...]:
    """Returns the hidden channels of `network` that convolutions write: for each set of them these layers' weights.

    Layers whose outputs a residual connection adds write the same channels, and so do a convolution and the depthwise
    ones that follow it. Channels that a linear layer writes too are left out.

    inner: leave out those that more than one convolution writes (depthwise ones aside): in a ResNet only channels
        inside its blocks remain.
    """
    writers = {names: sum(name not in depthwise(network) for name in names) for names in _written(network)}
    return tuple(names for names, count in writers.items() if not (inner and count > 1))


def _written(network: nn.Module) -> list[tuple[str, ...]]:
    shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
    order = list(shapes)
    spaces = []
    for units in hidden_units(network):
        names = weights_written(units, shapes)
        if names and all(len(shapes[name]) > 2 for name in names):
            spaces.append(names)
    return sorted(spaces, key=lambda names: order.index(names[0]))


def weights_written(units: Units, shapes: Shapes) -> tuple[str, ...]:
    """Returns the names of the weights whose outputs are these units, in the order of the network's parameters."""
    owners = {axis.name for axis in units.axes if axis.dim == 0}
    return tuple(name for name in shapes if name in owners and len(shapes[name]) > 1)


def depthwise(network: nn.Module) -> frozenset[str]:
    """Returns the names of the weights of depthwise convolutions, which filter every channel by itself."""
    return frozenset(
        f"{prefix}.weight".lstrip(".")
        for prefix, module in network.named_modules()
        if getattr(module, "groups", 1) > 1 and getattr(module, "groups", 1) == getattr(module, "in_channels", 0)
    )


def gone_with(mask: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Returns the masks of the scales, shifts and biases of removed channels, which must be zero with their filters.

    A channel is removed where every layer that writes it has lost its whole filter. Weights that would read it are
    not named: they read zeros.
    """
    parameters = dict(network.named_parameters())
    shapes = {name: parameter.shape for name, parameter in parameters.items()}
    masks: dict[str, Tensor] = {}
    for units in hidden_units(network):
        removed = removed_channels(mask, units, shapes)
        if removed is None or not removed.any():
            continue
        vectors = (axis.name for axis in units.axes if axis.dim == 0 and len(shapes.get(axis.name, (0, 0))) == 1)
        for name in vectors:
            masks[name] = mask.get(name, torch.ones_like(removed)) & ~removed
    return masks


def removed_channels(mask: Mapping[str, Tensor], units: Units, shapes: Shapes) -> Tensor | None:
    """Returns (units,): which of them every weight that writes them has lost; None where a writer has no mask."""
    written = weights_written(units, shapes)
    if not written or any(name not in mask for name in written):
        return None
    return torch.stack([~mask[name].flatten(1).any(1) for name in written]).all(0)


def scales_of(network: nn.Module) -> dict[str, list[Tensor]]:
    """Returns for every weight that writes hidden units the scales of the batch norms that these pass."""
    parameters = dict(network.named_parameters())
    shapes = {name: parameter.shape for name, parameter in parameters.items()}
    norms = {
        f"{prefix}.weight".lstrip(".") for prefix, module in network.named_modules() if isinstance(module, _BatchNorm)
    }
    scales: dict[str, list[Tensor]] = {}
    for units in hidden_units(network):
        own = [parameters[axis.name] for axis in units.axes if axis.name in norms and axis.name in parameters]
        scales |= {name: list(own) for name in weights_written(units, shapes)}
    return scales
