"""Decomposes what a method is worth beyond random pruning: the share of the gap that each level of structure explains.

The levels are nested (`sanity.config.decomposition`): each keeps one thing more of the ticket than the one before. A
level's share is the accuracy that it adds over the gap between random pruning and the method; the shares sum to one.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports import inference
from reports.designs import Design, design_of
from reports.labels import parse
from reports.records import CONTROL
from reports.statistics import Cell, Summary
from reports.text import say
from reports.wording import bracketed, method_name, percent, points
from sanity.config.decomposition import BASE, LEVELS

NAN = math.nan
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with the interval that holds it; both ends are NaN where no interval can be had."""

    value: float
    low: float = NAN
    high: float = NAN


@dataclass(frozen=True)
class Step:
    """What one level adds. keeps: what it keeps beyond the level before; check: the label of its check.

    accuracy: at this level, in percent. points: more than at the level before. share: of the gap; NaN where the gap is
    not clearly above zero, since a share of nothing says nothing.
    """

    keeps: str
    check: str
    accuracy: float
    points: Estimate
    share: Estimate


@dataclass(frozen=True)
class Decomposition:
    """One method at one ratio. base: accuracy of random pruning; gap: that of the method less that of random pruning.

    seeds: those that all levels and random pruning have; everything is paired by them.
    """

    setting: tuple[str, str, str]
    method: str
    ratio: float
    seeds: tuple[int, ...]
    base: float
    gap: Estimate
    steps: tuple[Step, ...]

    @property
    def clear(self) -> bool:
        """Whether the gap is clearly above zero, so that it can be shared out."""
        return self.gap.low > 0


def decompositions(summary: Summary) -> list[Decomposition]:
    """Returns one decomposition for each method and ratio that has all levels and random pruning on a common seed."""
    by_method: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in summary.cells:
        by_method.setdefault((cell.setting, cell.method, cell.ratio), []).append(cell)
    decomposed: list[Decomposition] = []
    for (setting, method, ratio), cells in by_method.items():
        base = _base(setting, method, ratio, summary)
        levels = [_at(level.check, cells) for level in LEVELS]
        if base is not None and parse(method)[0].name != BASE and None not in levels:
            decomposed += _decomposed([base, *(cell for cell in levels if cell is not None)], design_of(summary.design))
    return decomposed


def _base(setting: tuple[str, str, str], method: str, ratio: float, summary: Summary) -> Cell | None:
    """Random pruning in the same setting at the same ratio; of several that of the method's variant."""
    candidates = [
        cell
        for cell in summary.select(setting=setting, ratio=ratio, check=CONTROL)
        if parse(cell.method)[0].name == BASE
    ]
    variant = parse(method)[0].variant
    return min(candidates, key=lambda cell: parse(cell.method)[0].variant != variant, default=None)


def _at(check: str, cells: Sequence[Cell]) -> Cell | None:
    """The cell of a level; of several that differ in options, the first."""
    return next((cell for cell in cells if "+".join(part.name for part in parse(cell.check)) == check), None)


def _decomposed(cells: Sequence[Cell], design: Design) -> Iterator[Decomposition]:
    """Yields the decomposition of random pruning and the levels; none where they have no seed in common."""
    seeds = tuple(sorted(set.intersection(*(set(cell.seeds) for cell in cells))))
    if not seeds:
        return
    runs = np.array([[dict(zip(cell.seeds, cell.runs, strict=True))[seed] for seed in seeds] for cell in cells])
    gap, points_and_shares = share_out(runs, design)
    steps = [
        Step(level.keeps, cell.check, float(row.mean()), *estimates)
        for level, cell, row, estimates in zip(LEVELS, cells[1:], runs[1:], points_and_shares, strict=True)
    ]
    method = cells[-1]
    yield Decomposition(method.setting, method.method, method.ratio, seeds, float(runs[0].mean()), gap, tuple(steps))


def share_out(runs: Floats, design: Design) -> tuple[Estimate, list[tuple[Estimate, Estimate]]]:
    """Returns the gap, and for every level its points and its share of the gap; no share where the gap is not clear.

    A share's interval is Fieller's (1954) for the ratio of two means, with the critical value of the design: it holds
    the shares s for which a test finds no difference between the level's points and s times the gap. It is bounded
    exactly where the gap is clear.

    Args:
        runs: (levels + 1, seeds), accuracies in percent, random pruning first.
    """
    whole = runs[-1] - runs[0]
    gap = _mean(whole, design)
    added = np.diff(runs, axis=0)
    return gap, [(_mean(part, design), _ratio(part, whole, design) if gap.low > 0 else Estimate(NAN)) for part in added]


def _mean(values: Floats, design: Design) -> Estimate:
    if len(values) < 2:
        return Estimate(float(values.mean()))
    numbers = float(values.mean()), float(values.std(ddof=1)), len(values)
    low, high = inference.interval(*numbers, 1 - inference.CONFIDENCE, 2, design)
    return Estimate(numbers[0], low, high)


def _ratio(part: Floats, whole: Floats, design: Design) -> Estimate:
    """The mean of `part` over that of `whole`, with Fieller's interval; `whole` is clearly above zero."""
    n = len(part)
    squared = design.critical(n, 1 - inference.CONFIDENCE, 2) ** 2 / n
    covariance = np.cov(part, whole)
    mean_part, mean_whole = float(part.mean()), float(whole.mean())
    a = mean_whole**2 - squared * covariance[1, 1]
    b = mean_part * mean_whole - squared * covariance[0, 1]
    c = mean_part**2 - squared * covariance[0, 0]
    root = math.sqrt(max(b * b - a * c, 0.0))
    return Estimate(mean_part / mean_whole, float((b - root) / a), float((b + root) / a))


def step_text(step: Step) -> str:
    """A level's share with its interval, "62 % [55, 70]"; its points, "+1.20 [0.8, 1.6]", where it has no share."""
    if math.isnan(step.share.value):
        interval = bracketed(step.points.low, step.points.high)
        return say("decomposition.points", points=points(step.points.value, signed=True), interval=interval).strip()
    shares = {name: points(100 * getattr(step.share, name), digits=0) for name in ("value", "low", "high")}
    return say("decomposition.share", **shares)


def gap_text(decomposition: Decomposition) -> str:
    """The gap with its interval."""
    gap = decomposition.gap
    return f"{points(gap.value, signed=True)} {bracketed(gap.low, gap.high)}".rstrip()


def sentence(decomposition: Decomposition) -> str:
    """The decomposition in one sentence."""
    steps = ", ".join(f"{step.keeps} {step_text(step)}" for step in decomposition.steps)
    key = "clear" if decomposition.clear else "unclear"
    return say(
        f"decomposition.{key}",
        method=method_name(decomposition.method),
        ratio=percent(decomposition.ratio),
        gap=gap_text(decomposition),
        n=len(decomposition.seeds),
        steps=steps,
    )


def rows(summary: Summary) -> list[dict[str, object]]:
    """One row a level, numbers without formatting, for decomposition.csv."""
    listed = []
    for decomposition in decompositions(summary):
        place = dict(zip(("dataset", "model", "recipe"), decomposition.setting, strict=True))
        whole = {"method": decomposition.method, "ratio": decomposition.ratio, "n": len(decomposition.seeds)}
        gap = decomposition.gap
        whole |= {"random": decomposition.base, "gap": gap.value, "gap_low": gap.low, "gap_high": gap.high}
        for step in decomposition.steps:
            level = {"level": step.keeps, "check": step.check, "accuracy": step.accuracy}
            for name, estimate in (("points", step.points), ("share", step.share)):
                level |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            listed.append({**place, **whole, **level})
    return listed
