"""Compares a mask with those of known methods at the same counts, beside what chance gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

import methods
from methods.base import Method
from sanity import masks
from sanity.cli.audit.subject import Subject
from sanity.errors import UserError, of_ones_own
from sanity.grid.scoring_batches import scoring_batches
from sanity.masks import Mask, kept, size
from sanity.recipes import get as get_recipe
from sanity.seeds import generator

KNOWN = ("magnitude", "snip", "grasp", "synflow", "random")
_SIGNIFICANT = 4.0  # standard deviations of the overlap of random positions


@dataclass(frozen=True)
class Overlap:
    """What a mask has in common with that of a method.

    counts: `total` for a method's own mask with as many weights, `layers` for its best weights in every layer.
    common: weights that both keep. chance: expected where positions within the layers are random; spread: its standard
    deviation. ties: how many of its weights the method kept by position alone. same_counts: whether each layer keeps as
    many weights in both. reason: why it was not compared, else empty.
    """

    method: str
    counts: str = "total"
    kept: int = 0
    common: int = 0
    chance: float = 0.0
    spread: float = 0.0
    ties: int = 0
    same_counts: bool = False
    reason: str = ""

    @property
    def share(self) -> float:
        """Of the kept weights, those that both keep."""
        return self.common / max(self.kept, 1)

    @property
    def excess(self) -> float:
        """How many standard deviations the overlap is above chance."""
        return (self.common - self.chance) / self.spread if self.spread else 0.0


def overlaps(subject: Subject) -> list[Overlap]:
    """Compares the mask of a ticket with the masks that each known method finds in its initial weights."""
    found: list[Overlap] = []
    for name in KNOWN:
        method = methods.get(name)
        reason = _cannot(subject, method)
        if reason:
            found.append(Overlap(name, reason=reason))
            continue
        try:
            with of_ones_own("the network, its weights or its data"):  # which may be the user's own
                found += _of_method(subject, name, method)
        except UserError as error:
            found.append(Overlap(name, reason=str(error)))
    return found


def _cannot(subject: Subject, method: Method) -> str:
    if subject.network is None:
        return "needs a network, model="
    if subject.initial is None:
        return "needs the initial weights, init="
    if method.needs_data and subject.train is None:
        return "needs examples, dataset="
    return ""


def _of_method(subject: Subject, name: str, method: Method) -> list[Overlap]:
    network = subject.network
    assert network is not None
    batches = _batches(subject, method)
    ratio = 1 - kept(subject.mask) / size(subject.mask)
    mask = method.mask(network, batches, ratio, generator(0, "score"))
    scores = method.score(network, batches, generator(0, "score"))
    by_layer = {layer: _best(score, int(subject.mask[layer].sum())) for layer, score in scores.items()}
    pairs = {"total": mask, "layers": by_layer}
    return [_overlap(name, counts, subject.mask, other) for counts, other in pairs.items()]


def _batches(subject: Subject, method: Method) -> list[tuple[Tensor, Tensor]]:
    if subject.train is not None:
        return list(scoring_batches(method, subject.train, get_recipe("quick"), generator(0, "batches")))
    assert subject.input_shape is not None
    return [(torch.zeros(1, *subject.input_shape), torch.zeros(1, dtype=torch.long))]


def _best(score: Tensor, count: int) -> Tensor:
    mask = torch.zeros(score.numel(), dtype=torch.bool)
    mask[score.flatten().topk(count).indices] = True
    return mask.view_as(score)


def _overlap(name: str, counts: str, mask: Mask, other: Mapping[str, Tensor]) -> Overlap:
    chance = variance = 0.0
    for layer, own in mask.items():
        total, first, second = own.numel(), int(own.sum()), int(other[layer].sum())
        chance += first * second / total
        if total > 1:
            variance += first * second * (total - first) * (total - second) / (total**2 * (total - 1))
    same = all(int(own.sum()) == int(other[layer].sum()) for layer, own in mask.items())
    common = sum(int((own & other[layer]).sum()) for layer, own in mask.items())
    return Overlap(name, counts, kept(mask), common, chance, sqrt(variance), masks.ties(other) or 0, same)


def verdict(found: list[Overlap]) -> str:
    """Says in one sentence which known method a mask resembles most."""
    compared = [overlap for overlap in found if not overlap.reason]
    if not compared:
        return f"likeness to known methods: {found[0].reason}"
    for overlap in compared:
        if overlap.counts == "total" and overlap.common == overlap.kept:
            return f"is exactly the {overlap.method} mask of these initial weights"
    nearest = max(compared, key=lambda overlap: overlap.excess)
    if nearest.excess < _SIGNIFICANT:
        counts = [overlap.method for overlap in compared if overlap.counts == "total" and overlap.same_counts]
        rearranged = f", but each layer keeps exactly as many weights as under {' and '.join(counts)}" if counts else ""
        return f"has no more in common with any of the compared methods than chance gives{rearranged}"
    where = "" if nearest.counts == "total" else " within the layers' counts"
    return (
        f"resembles {nearest.method}{where} most: {100 * nearest.share:.1f} % of its weights, "
        f"{100 * nearest.chance / nearest.kept:.1f} % by chance"
    )
