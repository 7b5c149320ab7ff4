"""Tests a check that was made at several doses once: how much accuracy changes with the dose.

One test takes the place of a comparison for each dose. For every seed, the line of least squares through its accuracies
at all doses has a slope; the control is dose 0 where doses count linearly. Seeds are independent and their slopes are
not required to be equal, so the mean slope is tested by a t-test over seeds (a regression with seeds as blocks and a
slope of their own: the summary-measures analysis of Matthews et al. 1990).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports import inference
from reports.designs import Design, design_of
from reports.records import CONTROL
from reports.statistics import Cell, Summary
from reports.text import say
from reports.wording import SYMBOLS, bracketed, method_name, percent, points, trimmed

NAN = math.nan
LINEAR = "linear"


@dataclass(frozen=True)
class Dose:
    """How much the check of a cell destroys.

    of: the check without the option. option: as the command line has it. scale: "linear", where 0 is the control, or
    "log10", where accuracy is taken to change with the logarithm and the control has no place.
    """

    of: str
    option: str
    value: float
    scale: str

    @classmethod
    def of_cell(cls, cell: Cell) -> "Dose":
        """Returns the dose of a cell that has one."""
        assert cell.dose is not None
        return cls(**cell.dose)

    @property
    def place(self) -> float:
        """Where it lies on the axis of the regression."""
        return self.value if self.scale == LINEAR else math.log10(self.value)


@dataclass(frozen=True)
class Slope:
    """How accuracy changes with the dose of one check, of one method at one ratio.

    doses: in ascending order, without the control. mean: points of accuracy per unit of the dose, or per tenfold dose
    on a logarithmic scale. low, high: its interval at `confidence`. range: from the lowest place to the highest.
    verdict: "different" if the slope is not zero; "equivalent" if the change over the whole range is surely smaller
    than the margin; "identical" if no dose changed any ticket; else "undecided" or "not testable".
    """

    setting: tuple[str, str, str]
    method: str
    check: str
    ratio: float
    option: str
    scale: str
    doses: tuple[float, ...]
    range: float
    n: int
    mean: float = NAN
    std: float = NAN
    low: float = NAN
    high: float = NAN
    confidence: float = NAN
    p: float = NAN
    p_holm: float = NAN
    verdict: str = "undecided"


def by_seed(places: ArrayLike, accuracies: ArrayLike) -> NDArray[np.float64]:
    """Returns each seed's slope of least squares: (..., seeds).

    places: (doses,), at least two different ones. accuracies: (..., seeds, doses).
    """
    centred = np.asarray(places, dtype=float)
    centred = centred - centred.mean()
    return np.asarray(accuracies, dtype=float) @ (centred / (centred @ centred))


def slopes(summary: Summary) -> list[Slope]:
    """Returns the slopes of all checks that were made at several doses; one claim is a check over its ratios."""
    design = design_of(summary.design)
    dosed = [cell for cell in summary.cells if cell.dose]
    found: dict[tuple[object, ...], list[Slope]] = {}
    for key, cells in _together(dosed):
        slope = _slope(cells, summary, design)
        if slope is not None:
            found.setdefault(key[:-1], []).append(slope)
    return [slope for claim in found.values() for slope in _decided(claim, summary, design)]


def _together(cells: Sequence[Cell]) -> Iterator[tuple[tuple[Any, ...], list[Cell]]]:
    """Groups the cells that differ in the dose alone; the last entry of a group's key is its ratio."""

    def key(cell: Cell) -> tuple[Any, ...]:
        dose = Dose.of_cell(cell)
        return (cell.setting, cell.method, dose.of, dose.option, dose.scale, cell.ratio)

    order = list(dict.fromkeys(map(key, cells)))
    for where, group in groupby(sorted(cells, key=lambda cell: order.index(key(cell))), key):
        yield where, sorted(group, key=lambda cell: Dose.of_cell(cell).value)


def _slope(cells: Sequence[Cell], summary: Summary, design: Design) -> Slope | None:
    """Returns the slope over these cells before Holm's correction; None where there are fewer than two doses."""
    doses = [Dose.of_cell(cell) for cell in cells]
    first, dose = cells[0], doses[0]
    controls = summary.select(setting=first.setting, method=first.method, check=CONTROL, ratio=first.ratio)
    joined = [*(controls if dose.scale == LINEAR else []), *cells]
    if len(doses) < 2 or (dose.scale == LINEAR and not controls):
        return None
    places = [*([0.0] if dose.scale == LINEAR else []), *(each.place for each in doses)]
    runs = [dict(zip(cell.seeds, cell.runs, strict=True)) for cell in joined]
    seeds = sorted(set.intersection(*map(set, runs)))
    values = tuple(each.value for each in doses)
    slope = Slope(first.setting, first.method, dose.of, first.ratio, dose.option, dose.scale, values,
                  max(places) - min(places), len(seeds))  # fmt: skip
    verdicts = {cell.comparison.verdict for cell in cells if cell.comparison}
    if verdicts == {"identical"}:
        return replace(slope, verdict="identical", mean=0.0)
    if not seeds:
        return replace(slope, verdict="missing")
    each = by_seed(places, [[run[seed] for run in runs] for seed in seeds])
    mean, std = float(each.mean()), float(each.std(ddof=1)) if len(each) > 1 else NAN
    std = 0.0 if std < 1e-9 else std
    slope = replace(slope, mean=mean, std=std)
    if verdicts == {"not testable"}:
        return replace(slope, verdict="not testable")
    return replace(slope, p=float(inference.p_different(mean, std, len(each), design)))


def _decided(claim: Sequence[Slope], summary: Summary, design: Design) -> list[Slope]:
    """Returns the slopes of one claim with their verdicts, after Holm's correction over its ratios."""
    tested = [slope for slope in claim if not math.isnan(slope.p)]
    p = [slope.p for slope in tested]
    margins = [summary.margin / slope.range for slope in tested]
    equal = [
        float(inference.p_equivalent(slope.mean, slope.std, slope.n, margin, design))
        for slope, margin in zip(tested, margins, strict=True)
    ]
    verdicts = inference.decide(inference.holm(p), equal, summary.alpha)
    steps = inference.holm_steps(p, summary.alpha)
    final = {}
    for slope, adjusted, verdict, step in zip(tested, inference.holm(p), verdicts, steps, strict=True):
        alpha, sides = (summary.alpha, 1) if verdict == "equivalent" else (summary.alpha / step, 2)
        low, high = inference.interval(slope.mean, slope.std, slope.n, alpha, sides, design)
        confidence = 1 - alpha * (3 - sides)
        final[slope] = replace(
            slope, p_holm=float(adjusted), verdict=str(verdict), low=low, high=high, confidence=confidence
        )
    return [final.get(slope, slope) for slope in claim]


def sentence(slope: Slope) -> str:
    """The slope in one sentence."""
    where = {"method": method_name(slope.method), "ratio": percent(slope.ratio), "check": slope.check}
    doses = ", ".join(f"{dose:g}" for dose in slope.doses)
    unit = say(f"dose.unit_{slope.scale}", option=slope.option)
    key = slope.verdict if slope.verdict in ("identical", "missing", "not testable") else "slope"
    return say(
        f"dose.{key}",
        **where,
        symbol=SYMBOLS.get(slope.verdict, ""),
        slope=points(slope.mean, signed=True),
        unit=unit,
        interval=interval_text(slope),
        doses=doses,
        n=slope.n,
        meaning=say(f"dose.{slope.verdict}_means") if key == "slope" else "",
    )


def interval_text(slope: Slope) -> str:
    """The interval of a slope with its confidence, as in "95 % [-3.20, -0.41]"; says where there is none."""
    bounds = bracketed(slope.low, slope.high)
    return f"{trimmed(100 * slope.confidence)} % {bounds}" if bounds else say("dose.no_interval")
