"""Masks from scores: exact counts, ties by position, nothing revived; and what can be measured on a mask alone."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from sanity.allocation import Allocation, budget
from sanity.allocation import get as get_allocation
from sanity.errors import UserError
from sanity.models.prunable import prunable as prunable

Scores = Mapping[str, Tensor]
Mask = dict[str, Tensor]


def dense(model: nn.Module) -> Mask:
    """The mask that keeps every prunable weight."""
    return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in prunable(model).items()}


def keep_best(scores: Tensor, count: int) -> Tensor:
    """A boolean tensor like `scores`, true for exactly `count` of the highest; among equals the first is kept."""
    flat = scores.flatten()
    if count >= flat.numel():
        return torch.ones_like(scores, dtype=torch.bool)
    if count <= 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    threshold = _kth_smallest(flat, flat.numel() - count)
    kept = flat >= threshold
    surplus = int(kept.sum()) - count
    if surplus:
        tied = (flat == threshold).nonzero().squeeze(1)
        kept[tied[len(tied) - surplus :]] = False
    return kept.view_as(scores)


def _joined(parts: list[Tensor]) -> Tensor:
    """The parts one after the other. On the CPU by numpy, which asks the system for large pages: five times as fast."""
    if parts[0].device.type != "cpu":
        return torch.cat(parts)
    return torch.from_numpy(np.concatenate([part.numpy() for part in parts]))


def _kth_smallest(flat: Tensor, k: int) -> Tensor:
    """The value that has `k` others below it or equal, `k` counted from 0."""
    if flat.device.type != "cpu":
        return flat.sort().values[k]  # kthvalue is one block of threads there, sorting all of them
    # torch's kthvalue carries an index beside every value, which takes five times as long
    return torch.as_tensor(np.partition(flat.numpy(), k)[k], dtype=flat.dtype)


def check_finite(scores: Scores) -> None:
    """Raises `UserError` naming the first parameter whose score has a NaN or an infinity."""
    for name, score in scores.items():
        if torch.isfinite(score.sum()):  # one pass; a sum that overflowed is looked at again
            continue
        bad = int((~torch.isfinite(score)).sum())
        if bad:
            raise UserError(f"score of '{name}' has {bad} of {score.numel()} values that are NaN or infinite")


def allocate(
    scores: Scores, ratio: float, allocation: str | Allocation = "global", alive: Mapping[str, Tensor] | None = None
) -> Mask:
    """The mask that removes `ratio` of all weights and keeps the highest scores.

    scores: parameter name -> tensor shaped like the weight. Higher is kept; ties are broken by position.
    ratio: fraction removed, in (0, 1); exactly round((1 - ratio) * N) are kept (smart_ratio: its published counts).
    allocation: global (all layers ranked together), uniform, erk, smart_ratio, or an `Allocation`.
    alive: weights that may be kept. One that an earlier round pruned is never revived.

    Raises `UserError` for a ratio outside (0, 1) or one that leaves nothing, and for scores that are not finite.
    """
    left = Survivors(scores, alive)
    left.prune(scores, ratio, allocation)
    return left.mask()


class Survivors:
    """The weights that are left, by their places: in a hundred rounds most rounds look at few."""

    def __init__(self, weights: Mapping[str, Tensor], alive: Mapping[str, Tensor] | None = None) -> None:
        """All of `weights` (only their names, shapes and device matter), or those that are `alive`."""
        self._like = weights
        self._places = {name: _places(alive[name]) for name in weights} if alive is not None else None

    def prune(self, scores: Scores, ratio: float, allocation: str | Allocation) -> dict[str, Tensor]:
        """Removes weights, as `allocate` does, until `ratio` of all are gone; the places that went, by layer."""
        check_finite(scores)
        rule = get_allocation(allocation)
        flat = {name: score.flatten() for name, score in scores.items()}
        if self._places is not None:
            flat = {name: score[self._places[name]] for name, score in flat.items()}
        if rule is None:
            count = budget(sum(score.numel() for score in scores.values()), ratio)
            parts = keep_best(_joined(list(flat.values())), count).split([len(part) for part in flat.values()])
            kept = dict(zip(flat, parts, strict=True))
        else:
            counts = rule.counts({name: tuple(score.shape) for name, score in scores.items()}, ratio)
            counts = _among(counts, {name: len(part) for name, part in flat.items()})
            kept = {name: keep_best(part, counts[name]) for name, part in flat.items()}
        before = self._places
        self._places = {name: _places(part) if before is None else before[name][part] for name, part in kept.items()}
        return {name: _places(~part) if before is None else before[name][~part] for name, part in kept.items()}

    def mask(self) -> Mask:
        """True where a weight is left."""
        mask = {
            name: torch.zeros(like.shape, dtype=torch.bool, device=like.device) for name, like in self._like.items()
        }
        for name, layer in mask.items():
            layer.view(-1)[slice(None) if self._places is None else self._places[name]] = True
        return mask


def _places(mask: Tensor) -> Tensor:
    return mask.flatten().nonzero().squeeze(1)


def check_feasible(weights: Mapping[str, Tensor], ratio: float, allocation: str | Allocation) -> None:
    """Raises `UserError` where `allocate` would for these weights whatever their scores."""
    rule = get_allocation(allocation)
    budget(sum(weight.numel() for weight in weights.values()), ratio)
    if rule is not None:
        rule.counts({name: tuple(weight.shape) for name, weight in weights.items()}, ratio)


def _among(counts: Mapping[str, int], alive: Mapping[str, int]) -> dict[str, int]:
    """`counts` where no layer wants more than is alive: what one has too few of goes to the first that have more.

    Rounding shares to whole weights can give a layer one more at a smaller budget (the Alabama paradox).
    """
    fitting = {name: min(count, alive[name]) for name, count in counts.items()}
    missing = sum(counts.values()) - sum(fitting.values())
    for name in fitting:
        extra = min(missing, alive[name] - fitting[name])
        fitting[name] += extra
        missing -= extra
    return fitting


def permute(mask: Tensor, generator: torch.Generator) -> Tensor:
    """`mask` with its entries in random positions: the count stays, the position goes."""
    order = torch.randperm(mask.numel(), generator=generator).to(mask.device)
    return mask.flatten()[order].view_as(mask)


def kept(mask: Mapping[str, Tensor]) -> int:
    """The number of weights that `mask` keeps."""
    return sum(int(layer.sum()) for layer in mask.values())


def size(mask: Mapping[str, Tensor]) -> int:
    """The number of weights that `mask` is about."""
    return sum(layer.numel() for layer in mask.values())


def layers(mask: Mapping[str, Tensor]) -> dict[str, dict[str, int]]:
    """Weights and kept weights of every layer, by parameter name."""
    return {name: {"weights": layer.numel(), "kept": int(layer.sum())} for name, layer in mask.items()}


def collapsed(mask: Mapping[str, Tensor]) -> list[str]:
    """The layers that have no weight left: no signal passes them (layer collapse, Tanaka et al. 2020)."""
    return [name for name, layer in mask.items() if not layer.any()]


def overlap(mask: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """The share of the weights kept by `mask` that `other` keeps too, in [0, 1]."""
    common = sum(int((layer & other[name]).sum()) for name, layer in mask.items())
    return common / max(kept(mask), 1)


def expected_overlap(mask: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """The mean overlap of two masks with these counts per layer when positions within a layer are random."""
    common = sum(int(layer.sum()) * int(other[name].sum()) / layer.numel() for name, layer in mask.items())
    return common / max(kept(mask), 1)
