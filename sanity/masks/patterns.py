"""Defines patterns: which weights of a layer are kept or removed together, and in what arrangement.

A score is reduced to one number a group, as many groups are kept as the budget has room for, and the mask is the kept
groups' weights. A further pattern is a small class: `members` says which weights form a group.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar

import torch
from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.masks.allocation import Allocation, Shapes, budget
from sanity.masks.ranking import joined, ranked
from sanity.seeds import derive

Shape = Sequence[int]
_LARGEST = 1024
_CHANNELS = ("channel", "inner_channel")
_ALLOWED = f"should be unstructured or N:M with 0 < N < M <= {_LARGEST}, as in 2:4, or channel or inner_channel"


@dataclass(frozen=True)
class Selection:
    """The groups that one round keeps: by layer a boolean tensor over the groups that could be kept.

    ties: how many of them are kept by position alone, since a group of equal score is not kept.
    """

    kept: dict[str, Tensor]
    ties: int = 0


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
        return Selection({name: mask for name, (mask, _) in kept.items()}, sum(ties for _, ties in kept.values()))


def _ranked_together(scores: Mapping[str, Tensor], sizes: Mapping[str, int], keep: int) -> Selection:
    """Returns the highest of all layers, until the next group would exceed `keep` weights."""
    flat = joined(list(scores.values()))
    count = keep if set(sizes.values()) == {1} else _fitting(flat, scores, sizes, keep)
    mask, ties = ranked(flat, count)
    parts = mask.split([len(score) for score in scores.values()])
    return Selection(dict(zip(scores, parts, strict=True)), ties)


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


class Unstructured(Pattern):
    """Every weight by itself."""

    def members(self, shape: Shape, device: torch.device) -> Tensor:
        return torch.arange(prod(shape), device=device)[:, None]

    def group_size(self, shape: Shape) -> int:
        return 1

    def reduce(self, score: Tensor) -> Tensor:
        return score.flatten()

    def positions(self, groups: Tensor, shape: Shape) -> Tensor:
        return groups

    def exchange_width(self, shape: Shape) -> int:
        return prod(shape[1:])

    def permute(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        order = torch.randperm(mask.numel(), generator=generator).to(mask.device)
        return mask.flatten()[order].view_as(mask)


@dataclass(frozen=True)
class NofM(Unstructured):
    """N of every M consecutive weights along the input dimension, which for a convolution is in * height * width.

    A layer whose input dimension is no multiple of M stays dense (as in NVIDIA's ASP), and so do biases. In several
    rounds a group keeps round(density * M) of its M weights after each, and N after the last.
    """

    n: int
    m: int

    def __str__(self) -> str:
        return f"{self.n}:{self.m}"

    def fits(self, shape: Shape) -> bool:
        """Returns whether a layer of `shape` is pruned: its input dimension is a multiple of M."""
        return len(shape) > 1 and prod(shape[1:]) % self.m == 0

    def check(self, shapes: Shapes, ratio: float, rule: Allocation | None) -> None:
        removed = 1 - self.n / self.m
        if abs(ratio - removed) > 1e-9:
            raise UserError(
                f"ratio={ratio}: pattern={self} removes {removed:.6g} of the weights; set ratio={removed:.6g}"
            )
        if rule is not None:
            raise UserError(f"pattern={self} fixes how many weights each layer keeps; set allocation=global")
        if not any(self.fits(shape) for shape in shapes.values()):
            inputs = ", ".join(str(prod(shape[1:])) for shape in shapes.values() if len(shape) > 1)
            raise UserError(f"pattern={self}: no layer has a multiple of {self.m} inputs (they have {inputs})")

    def planned(self, shapes: Shapes, ratio: float) -> int | None:
        return sum(
            prod(shape) // self.m * self._quota(ratio) if self.fits(shape) else prod(shape) for shape in shapes.values()
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
        kept: dict[str, Tensor] = {}
        ties = 0
        for name, score in scores.items():
            if not self.fits(shapes[name]):
                kept[name] = torch.ones_like(score, dtype=torch.bool)
                continue
            whole = score.new_full((prod(shapes[name]),), -torch.inf)
            whole[slice(None) if places is None else places[name]] = score
            mask, by_position = self._best_of_each(whole.view(-1, self.m), self._quota(ratio))
            kept[name] = mask.flatten() if places is None else mask.flatten()[places[name]]
            ties += by_position
        return Selection(kept, ties)

    def exchange_width(self, shape: Shape) -> int:
        return self.m if self.fits(shape) else prod(shape[1:])

    def permute(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Permutes `mask` within every M consecutive weights, so that it still has the pattern."""
        if not self.fits(mask.shape):
            return mask.clone()
        groups = mask.reshape(-1, self.m)
        order = torch.rand(groups.shape, generator=generator).argsort(dim=1).to(mask.device)
        return groups.gather(1, order).view_as(mask)

    def _quota(self, ratio: float) -> int:
        return min(max(round((1 - ratio) * self.m), self.n), self.m)

    def _best_of_each(self, groups: Tensor, quota: int) -> tuple[Tensor, int]:
        """Selects the highest `quota` of each row of (groups, M) scores, the first among equals, and counts ties."""
        order = groups.argsort(dim=1, descending=True, stable=True)
        mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, order[:, :quota], True)
        if quota == self.m:
            return mask, 0
        last, next_best = (groups.gather(1, order[:, place : place + 1]) for place in (quota - 1, quota))
        tied = mask & (groups == last) & (last == next_best) & torch.isfinite(groups)
        return mask, int(tied.sum())


UNSTRUCTURED = Unstructured()


def get(name: str, network: nn.Module | None = None) -> Pattern:
    """Returns the pattern of that name: `unstructured`, N:M as in `2:4`, `channel` or `inner_channel`.

    network: what has the channels; without it the patterns of channels leave every layer whole.
    Raises `UserError` for what is no pattern, and for channels that cannot be followed through the network.
    """
    try:
        name = _canonical(name)
    except PydanticCustomError as error:
        raise UserError(f"pattern={name}: {error.message()}") from None
    if name == "unstructured":
        return UNSTRUCTURED
    if name in _CHANNELS:
        from sanity.masks.channels import of_network  # traces the network, which no other pattern needs

        return of_network(name, network)
    n, m = map(int, name.split(":"))
    return NofM(n, m)


def _canonical(value: object) -> str:
    text = str(value)
    if text in ("unstructured", *_CHANNELS):
        return text
    if re.fullmatch(r"[0-9]{1,4}:[0-9]{1,4}", text):
        n, m = map(int, text.split(":"))
        if 0 < n < m <= _LARGEST:
            return f"{n}:{m}"
    raise PydanticCustomError("pattern", _ALLOWED)


PatternName = Annotated[
    str, PlainValidator(_canonical), Field(title="unstructured|N:M as in 2:4|channel|inner_channel")
]
"""The type of an option that names a pattern."""
