"""Measures a mask by itself: counts, dead layers and units, weights on no live path, densities, revived weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sanity.cli.audit.subject import Subject
from sanity.errors import UserError
from sanity.masks import Mask, kept, size
from sanity.masks.allocation import ERK, SmartRatio, Uniform, budget
from sanity.masks.effective_density import live_weights, paths_are_known
from sanity.masks.files.imports import plain_ratio


@dataclass(frozen=True)
class Layer:
    """One layer of a mask.

    idle_outputs: units or channels that keep no weight. unused_inputs: inputs that no unit reads.
    dead: kept weights on no path from input to output; None where paths are not known.
    revived: removed weights that are not zero in the final weights; None without those.
    """

    name: str
    shape: tuple[int, ...]
    weights: int
    kept: int
    idle_outputs: int
    unused_inputs: int
    dead: int | None
    revived: int | None

    @property
    def density(self) -> float:
        """The share of its weights that is kept."""
        return self.kept / self.weights


@dataclass(frozen=True)
class Likeness:
    """How near the layers' counts are to a published rule at the same ratio.

    moved: the share of the kept weights that would have to change layers; 0 for the rule's own counts.
    """

    rule: str
    moved: float


def layers(subject: Subject) -> list[Layer]:
    """Measures every layer of a ticket."""
    live = _live(subject)
    found = []
    for name, mask in subject.mask.items():
        rows = mask.flatten(1)
        columns = mask.transpose(0, 1).flatten(1)
        final = subject.final.get(name) if subject.final is not None else None
        found.append(
            Layer(
                name,
                tuple(mask.shape),
                mask.numel(),
                int(mask.sum()),
                int((~rows.any(1)).sum()),
                int((~columns.any(1)).sum()),
                None if live is None else int((mask & ~live[name]).sum()),
                None if final is None else int(((final != 0) & ~mask).sum()),
            )
        )
    return found


def _live(subject: Subject) -> Mask | None:
    if subject.network is None or subject.input_shape is None:
        return None
    if not paths_are_known(subject.network, subject.input_shape):
        return None
    return live_weights(subject.network, subject.mask, subject.input_shape)


def counts(subject: Subject, ratio: float | None) -> str:
    """Says in one sentence what is kept, and by how much that misses the budget."""
    total, left = size(subject.mask), kept(subject.mask)
    text = f"keeps {left:,} of {total:,} weights: {100 * left / total:.2f} %"
    try:
        ratio = plain_ratio([subject.mask]) if ratio is None else ratio
    except UserError:
        return text
    wanted = budget(total, ratio)
    off = left - wanted
    missed = f"{abs(off):,} {'more' if off > 0 else 'fewer'}" if off else "exact"
    return f"{text}; ratio={ratio:g} is {wanted:,}: {missed}"


def likeness_of_densities(mask: Mask) -> list[Likeness]:
    """Compares the counts of the layers with uniform, ERK and smart-ratio counts of as many weights, nearest first."""
    shapes = {name: tuple(layer.shape) for name, layer in mask.items()}
    ratio, total = 1 - kept(mask) / size(mask), kept(mask)
    found = []
    for name, rule in {"uniform": Uniform(), "ERK": ERK(), "smart ratio": SmartRatio()}.items():
        try:
            planned = rule.counts(shapes, ratio)
        except UserError:
            continue
        differences = sum(abs(int(mask[layer].sum()) - count) for layer, count in planned.items())
        found.append(Likeness(name, differences / 2 / total))
    return sorted(found, key=lambda likeness: likeness.moved)


def trained(initial: Mapping[str, Tensor], final: Mapping[str, Tensor], mask: Mask) -> str:
    """Says whether the weights beside a mask are the initial ones or have been trained."""
    before = torch.cat([initial[name][layer] for name, layer in mask.items()]).double()
    after = torch.cat([final[name][layer] for name, layer in mask.items()]).double()
    same = float((before == after).double().mean()) if len(before) else 1.0
    if same == 1:
        return "the kept weights of the file are the initial ones"
    correlation = round(float(torch.corrcoef(torch.stack([before, after]))[0, 1]), 2) + 0.0
    return (
        f"the kept weights of the file are not the initial ones ({100 * same:.1f} % equal, correlation "
        f"{correlation:.2f}): the ticket is the mask with the initial weights"
    )
