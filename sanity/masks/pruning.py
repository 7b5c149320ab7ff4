"""Makes masks from scores (exact counts, ties by position, nothing revived) and measures masks."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sanity.errors import UserError
from sanity.masks.allocation import Allocation, budget
from sanity.masks.layerwise import get as get_allocation
from sanity.masks.pattern_base import Pattern
from sanity.masks.patterns import UNSTRUCTURED
from sanity.masks.products import LayerLeft, Products, weakest
from sanity.masks.ranking import check_finite as check_finite
from sanity.masks.ranking import chosen, number, places, taken
from sanity.masks.ranking import keep_best as keep_best
from sanity.prunable import Mask

Scores = Mapping[str, Tensor]


def allocate(
    scores: Scores,
    ratio: float,
    allocation: str | Allocation = "global",
    alive: Mapping[str, Tensor] | None = None,
    pattern: Pattern = UNSTRUCTURED,
) -> Mask:
    """Returns the mask that removes `ratio` of all weights and keeps the highest scores.

    scores: parameter name -> tensor shaped like the weight. Higher is kept; ties are broken by position.
    ratio: fraction removed, in (0, 1); exactly round((1 - ratio) * N) are kept (smart_ratio: its published counts).
    allocation: a name of `sanity.masks.layerwise` (`global` ranks all layers together), or an `Allocation`.
    alive: weights that may be kept. One that an earlier round pruned is never revived.
    pattern: which weights are kept or removed together; see `sanity.masks.patterns`.

    Raises `UserError` for a ratio outside (0, 1) or one that leaves nothing, and for scores that are not finite.
    """
    survivors = Survivors(scores, alive, pattern)
    survivors.prune_round(scores, ratio, allocation)
    return survivors.mask()


class RankedMask(Mask):
    """Holds a mask and which of its weights a round kept by position alone, since a removed one scored the same.

    tied: true for these, by layer; a layer without any may be missing. ties: how many they are, to be stated where
    only their number is known.
    """

    def __init__(
        self, mask: Mapping[str, Tensor], tied: Mapping[str, Tensor] | None = None, ties: int | None = None
    ) -> None:
        super().__init__(mask)
        self.tied = tied or {}
        self.ties = sum(map(number, self.tied.values())) if ties is None else ties


def chosen_at_once(
    scores: Scores, ratio: float, allocation: str | Allocation, pattern: Pattern, keep: int | None = None
) -> RankedMask:
    """Returns what `allocate` returns where all may be kept, at a lower cost: no positions of weights are stored.

    pattern: one that does not keep whole units. keep: the number of weights that stay, where it is not
    round((1 - ratio) * N). Scores are not checked.
    """
    shapes = {name: tuple(score.shape) for name, score in scores.items()}
    flat = {name: score.flatten() for name, score in scores.items()}
    selection = pattern.select(flat, None, shapes, ratio, get_allocation(allocation), keep)
    kept = {name: layer.view(shapes[name]) for name, layer in selection.kept.items()}
    return RankedMask(kept, ties=sum(map(len, selection.tied.values())))


class Survivors:
    """Stores indices of the surviving weights' groups after each round: later rounds then cost little."""

    def __init__(
        self, weights: Scores, alive: Mapping[str, Tensor] | None = None, pattern: Pattern = UNSTRUCTURED
    ) -> None:
        """Starts from all of `weights` (only names, shapes and device matter), or from those that are `alive`.

        alive: of a `RankedMask`, those that rounds before kept by position alone count on.
        """
        self._like, self._pattern = weights, pattern
        self._shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
        self._places: dict[str, Tensor] | None = None
        self._left: dict[str, LayerLeft] | None = None  # in place of them where scores are products
        if alive is not None:  # a group is alive where one of its weights is
            self._places = {name: places(pattern.reduce(alive[name].float()) > 0) for name in weights}
        tied = alive.tied if isinstance(alive, RankedMask) else {}
        self._tied = {name: marks.clone() for name, marks in tied.items()}  # true for weights, also for some that went

    def prune_round(
        self,
        scores: Scores | Products,
        ratio: float,
        allocation: str | Allocation = "global",
        keep: int | None = None,
        is_finite: bool = False,
    ) -> dict[str, Tensor]:
        """Removes weights until `ratio` of all are gone; returns the flat positions of those that went, by layer.

        scores: of all weights, or products, which are multiplied for those that are left alone where that will do.
        keep: the number of weights that stay, where it is not round((1 - ratio) * N).
        is_finite: whether the scores were checked before, a pass over all of them.
        """
        if isinstance(scores, Products):
            one_by_one = self._pattern is UNSTRUCTURED and get_allocation(allocation) is None
            if one_by_one and all(like.device.type == "cpu" for like in self._like.values()):
                return self._prune_products(scores, budget(self.total, ratio) if keep is None else keep)
            scores, is_finite = scores.multiplied(), False
        if not is_finite:
            check_finite(scores)
        groups = {name: self._pattern.reduce(score) for name, score in scores.items()}
        before, self._left = self._present(), None
        if before is not None:
            groups = {name: taken(score, before[name]) for name, score in groups.items()}
        selection = self._pattern.select(groups, before, self._shapes, ratio, get_allocation(allocation), keep)
        for name, tied in selection.tied.items():
            self._mark(name, tied if before is None else before[name][tied])
        if before is None:
            kept = {name: places(part) for name, part in selection.kept.items()}
            gone = {name: places(~part) for name, part in selection.kept.items()}
        else:
            kept = {name: chosen(before[name], part) for name, part in selection.kept.items()}
            gone = {name: chosen(before[name], ~part) for name, part in selection.kept.items()}
        self._places = kept
        return {name: self._pattern.positions(part, self._shapes[name]) for name, part in gone.items()}

    def _prune_products(self, scores: Products, keep: int) -> dict[str, Tensor]:
        before = self._places or {}
        if self._left is None:
            self._left = {name: LayerLeft(scores.factors[name], before.get(name)) for name in self._like}
        gone, tied = weakest(scores.slopes, self._left, keep)
        for name, which in tied.items():
            self._mark(name, torch.from_numpy(self._left[name].positions(which)))
        return {name: torch.from_numpy(layer.remove(gone[name])) for name, layer in self._left.items()}

    def _mark(self, name: str, groups: Tensor) -> None:
        """Notes which groups of a layer a round kept by position alone."""
        if len(groups):
            like = self._like[name]
            marks = self._tied.setdefault(name, torch.zeros(like.shape, dtype=torch.bool, device=like.device))
            marks.view(-1)[self._pattern.positions(groups, self._shapes[name])] = True

    def _present(self) -> dict[str, Tensor] | None:
        """Returns the positions of the groups that are left, None for all."""
        if self._left is None:
            return self._places
        return {name: torch.from_numpy(layer.places()) for name, layer in self._left.items()}

    @property
    def total(self) -> int:
        """The number of weights, or of what else the pattern's ratio is a share of, before any was pruned."""
        groups = {
            name: like.numel() // self._pattern.group_size(self._shapes[name]) for name, like in self._like.items()
        }
        return self._pattern.tally(groups, self._shapes)

    def left(self) -> int:
        """Returns how many of them are left."""
        if self._left is not None:
            return sum(layer.count for layer in self._left.values())
        if self._places is None:
            return self.total
        return self._pattern.tally({name: len(part) for name, part in self._places.items()}, self._shapes)

    def mask(self) -> RankedMask:
        """Returns True where a weight is left. Those tie that are left and that some round kept by position alone."""
        mask, present = Mask(), self._present()
        for name, like in self._like.items():
            mask[name] = torch.zeros(like.shape, dtype=torch.bool, device=like.device)
            if present is None:
                mask[name].fill_(True)
            else:
                mask[name].view(-1)[self._pattern.positions(present[name], self._shapes[name])] = True
        return RankedMask(mask, {name: marks & mask[name] for name, marks in self._tied.items()})


def ties(mask: Mapping[str, Tensor]) -> int | None:
    """Returns how many weights of a mask were kept by position alone; None where it did not come from scores."""
    return mask.ties if isinstance(mask, RankedMask) else None


def counted(mask: Mapping[str, Tensor], pattern: Pattern = UNSTRUCTURED) -> tuple[int, int]:
    """Returns how much `mask` keeps of what the pattern's ratio is a share of, and how much there is."""
    survivors = Survivors(mask, mask, pattern)
    return survivors.left(), survivors.total


def check_feasible(
    weights: Scores, ratio: float, allocation: str | Allocation, pattern: Pattern = UNSTRUCTURED
) -> None:
    """Raises `UserError` where `allocate` would for these weights whatever their scores, as far as that is known."""
    rule = get_allocation(allocation)
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    budget(sum(weight.numel() for weight in weights.values()), ratio)
    pattern.check(shapes, ratio, rule)
    if rule is not None and rule.is_known:
        rule.counts(shapes, ratio)


def check_mask(
    mask: Mapping[str, Tensor],
    weights: Scores,
    keep: int | None,
    ratio: float,
    allocation: str | Allocation,
    pattern: Pattern = UNSTRUCTURED,
    owner: str = "the mask",
) -> Mask:
    """Returns `mask` in the order of `weights`. Raises `UserError` where names, types, shapes or counts differ.

    keep: how many weights are to be kept at `ratio`, None for as many as are; the allocation or the pattern may say so
        layer by layer.
    owner: who made the mask, for the message.
    """
    if not isinstance(mask, Mapping):
        raise UserError(f"{owner}: a mask is a dict of boolean tensors by parameter name, not {type(mask).__name__}")
    if missing := [name for name in weights if name not in mask]:
        raise UserError(f"{owner}: the mask has no entry for '{missing[0]}'")
    if extra := [name for name in mask if name not in weights]:
        raise UserError(f"{owner}: the mask has '{extra[0]}', which is none of the weights: {', '.join(weights)}")
    for name, layer in mask.items():
        if not isinstance(layer, Tensor) or layer.dtype != torch.bool or layer.shape != weights[name].shape:
            has = f"{layer.dtype} {tuple(layer.shape)}" if isinstance(layer, Tensor) else type(layer).__name__
            raise UserError(f"{owner}: the mask of '{name}' is {has}, it must be bool {tuple(weights[name].shape)}")
    _check_counts(mask, kept(mask) if keep is None else keep, ratio, allocation, pattern, owner)
    return mask if list(mask) == list(weights) and isinstance(mask, dict) else {name: mask[name] for name in weights}


def _check_counts(
    mask: Mapping[str, Tensor], keep: int, ratio: float, allocation: str | Allocation, pattern: Pattern, owner: str
) -> None:
    shapes = {name: tuple(layer.shape) for name, layer in mask.items()}
    rule, total = get_allocation(allocation), size(mask)
    planned = pattern.planned(shapes, ratio)
    if rule is None and kept(mask) != (keep if planned is None else planned):
        target = keep if planned is None else planned
        raise UserError(f"{owner} keeps {kept(mask)} of {total} weights at ratio={ratio}; {target} are to be kept")
    exact = ratio if keep == budget(total, ratio) else 1 - keep / total
    for name, count in {} if rule is None else rule.counts(shapes, exact).items():
        if (layer_count := int(mask[name].sum())) != count:
            layer = f"{layer_count} of {mask[name].numel()} weights of '{name}'"
            raise UserError(f"{owner} keeps {layer} at ratio={ratio}; {count} are to be kept")


def permute(mask: Tensor, generator: torch.Generator, pattern: Pattern = UNSTRUCTURED) -> Tensor:
    """Permutes the entries of `mask` at random: their number and the pattern stay, their positions do not."""
    return pattern.permute(mask, generator)


def scattered(like: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Returns a mask of the shape of `like` that keeps `count` weights at random positions."""
    first = torch.arange(like.numel(), device=like.device) < count
    return permute(first.view(like.shape), generator)


def kept(mask: Mapping[str, Tensor]) -> int:
    """Returns the number of weights that `mask` keeps."""
    return sum(int(layer.sum()) for layer in mask.values())


def size(mask: Mapping[str, Tensor]) -> int:
    """Returns the number of weights that `mask` is about."""
    return sum(layer.numel() for layer in mask.values())


def layers(mask: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Returns kind ("conv", "fc", "bias"), weights and kept weights of every layer, by parameter name."""
    return {
        name: {"kind": _KINDS.get(layer.dim(), "conv"), "weights": layer.numel(), "kept": int(layer.sum())}
        for name, layer in mask.items()
    }


_KINDS = {1: "bias", 2: "fc"}


def collapsed(mask: Mapping[str, Tensor]) -> list[str]:
    """Returns the layers that have no weight left: no signal passes them (layer collapse, Tanaka et al. 2020)."""
    return [name for name, layer in mask.items() if not layer.any()]


def overlap(mask: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Returns the share of the weights kept by `mask` that `other` keeps too, in [0, 1]."""
    common = sum(int((layer & other[name]).sum()) for name, layer in mask.items())
    return common / max(kept(mask), 1)


def expected_overlap(mask: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Returns the mean overlap of two masks with these counts per layer when positions within a layer are random."""
    common = sum(int(layer.sum()) * int(other[name].sum()) / layer.numel() for name, layer in mask.items())
    return common / max(kept(mask), 1)
