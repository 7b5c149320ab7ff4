"""Defines the interface of patterns: which weights of a layer are kept or removed together, and in what arrangement.

A score is reduced to one number a group, as many groups are kept as the budget has room for, and the mask is the kept
groups' weights. A further pattern is a small class: `members` says which weights form a group.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from sanity.errors import UserError
from sanity.masks.allocation import Allocation, Shapes, budget
from sanity.masks.ranking import joined, ranked
from sanity.seeds import derive

Shape = Sequence[int]


@dataclass(frozen=True)
class Selection:
    """The groups that one round keeps: by layer a boolean tensor over the groups that could be kept.

    tied: which of them are kept by position alone, since a group of equal score is not kept; as indices, by layer. A
        layer without any may be missing.
    """

    kept: dict[str, Tensor]
    tied: Mapping[str, Tensor] = field(default_factory=dict)


class Pattern(ABC):
    """Groups of weights that are kept or removed together."""

    keeps_units_whole: ClassVar[bool] = False
    """Whether all weights of an output unit go together, so that a mask keeps the pattern when units are permuted."""

    @abstractmethod
    def members(self, shape: Shape, device: torch.device) -> Tensor:
        """Returns (groups, group size): the flat positions of the weights of every group of a layer of `shape`.

        Every weight is in one group, and the groups of a layer have one size.
        """

    def group_size(self, shape: Shape) -> int:
        """Returns how many weights of a layer of `shape` form a group."""
        return self.members(shape, torch.device("cpu")).shape[1]

    def reduce(self, score: Tensor) -> Tensor:
        """Returns (groups,): the mean score of the weights of every group."""
        return score.flatten()[self.members(score.shape, score.device)].mean(1)

    def positions(self, groups: Tensor, shape: Shape) -> Tensor:
        """Returns the flat positions of the weights of these groups."""
        return self.members(shape, groups.device)[groups].flatten()

    def permute(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Permutes the groups of `mask`: the number of kept weights stays, their positions do not."""
        index = self.members(mask.shape, mask.device)
        order = torch.randperm(len(index), generator=generator).to(mask.device)
        flat = mask.flatten()
        permuted = flat.clone()
        permuted[index] = flat[index[order]]
        return permuted.view_as(mask)

    def rearranged(self, mask: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Permutes the groups of every layer of `mask`, each by a generator of its own."""
        return {name: self.permute(layer, derive(generator, name)) for name, layer in mask.items()}

    def tally(self, groups: Mapping[str, int], shapes: Shapes) -> int:
        """Returns how much of what the ratio is a share of these numbers of groups hold: weights, unless said."""
        return sum(count * self.group_size(shapes[name]) for name, count in groups.items())

    def exchange_width(self, shape: Shape) -> int:
        """Returns how many consecutive inputs of a unit can exchange kept weights without breaking the pattern.

        Raises `UserError` for a pattern whose weights are not free one by one.
        """
        raise UserError(f"pattern={self}: kept weights cannot be exchanged one by one")

    def check(self, shapes: Shapes, ratio: float, rule: Allocation | None) -> None:  # noqa: B027 (a hook, optional)
        """Raises `UserError` where the pattern cannot be had at this ratio, or with this allocation.

        rule: how many weights each layer keeps; None ranks all layers together.
        """

    def planned(self, shapes: Shapes, ratio: float) -> int | None:
        """Returns the number of weights that the pattern keeps at `ratio`; None where the budget alone decides."""
        return None

    def select(
        self,
        scores: Mapping[str, Tensor],
        places: Mapping[str, Tensor] | None,
        shapes: Shapes,
        ratio: float,
        rule: Allocation | None,
        keep: int | None = None,
    ) -> Selection:
        """Returns the groups to keep, the highest scores first, as many as fit into the budget.

        scores: by layer, (groups,) for those groups that may still be kept.
        places: by layer, which of all groups these are; None for all.
        ratio: the fraction of all weights removed afterwards. keep: that budget as a number of weights, where it is
            not round((1 - ratio) * N).
        """
        sizes = {name: self.group_size(shapes[name]) for name in scores}
        total = sum(prod(shape) for shape in shapes.values())
        if rule is None:
            return _ranked_together(scores, sizes, budget(total, ratio) if keep is None else keep)
        weights = rule.counts(shapes, ratio if keep is None else 1 - keep / total)
        counts = among({name: weights[name] // sizes[name] for name in scores}, scores)
        kept = {name: ranked(score, counts[name]) for name, score in scores.items()}
        masks, tied = ({name: pair[place] for name, pair in kept.items()} for place in (0, 1))
        return Selection(masks, tied)


def _ranked_together(scores: Mapping[str, Tensor], sizes: Mapping[str, int], keep: int) -> Selection:
    """Returns the highest of all layers, until the next group would exceed `keep` weights."""
    flat = joined(list(scores.values()))
    count = keep if set(sizes.values()) == {1} else _fitting(flat, scores, sizes, keep)
    return Selection(*by_layer(*ranked(flat, count), scores))


def by_layer(
    mask: Tensor, positions: Tensor, scores: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns a mask over the joined groups of all layers, and ascending positions among them, layer by layer."""
    lengths = [len(score) for score in scores.values()]
    starts = torch.tensor(lengths).cumsum(0).to(positions.device) - torch.tensor(lengths).to(positions.device)
    parts = positions.tensor_split(torch.searchsorted(positions, starts)[1:].cpu())
    within = {name: part - start for name, part, start in zip(scores, parts, starts, strict=True) if len(part)}
    return dict(zip(scores, mask.split(lengths), strict=True)), within


def _fitting(flat: Tensor, scores: Mapping[str, Tensor], sizes: Mapping[str, int], keep: int) -> int:
    """Returns how many of the highest groups fit into a budget of `keep` weights."""
    weights = torch.cat([torch.full((len(score),), sizes[name]) for name, score in scores.items()]).to(flat.device)
    order = flat.argsort(descending=True, stable=True)
    return int((weights[order].cumsum(0) <= keep).sum())


def among(counts: Mapping[str, int], scores: Mapping[str, Tensor]) -> dict[str, int]:
    """Limits `counts` to the groups that each layer still has; the rest goes to the first layer with room.

    Rounding shares to whole weights can give a layer one more at a smaller budget (the Alabama paradox).
    """
    fitting = {name: min(count, len(scores[name])) for name, count in counts.items()}
    missing = sum(counts.values()) - sum(fitting.values())
    for name in fitting:
        extra = min(missing, len(scores[name]) - fitting[name])
        fitting[name] += extra
        missing -= extra
    return fitting
