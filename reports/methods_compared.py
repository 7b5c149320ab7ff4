"""Compares methods with random and with magnitude pruning, by the statistics by which checks are compared."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from reports.comparisons import Comparison, Mean, compare
from reports.designs import FIXED, Design
from reports.labels import parse
from reports.records import CONTROL, SETTING, ran
from reports.verdicts import decided

REFERENCES = ("random", "magnitude")
OUTCOMES = ("better", "likely_better", "as_good", "about_as_good", "likely_worse", "worse", "undecided",
            "not testable", "missing")  # fmt: skip


@dataclass(frozen=True)
class MethodComparison:
    """The unperturbed tickets of a method against those of a reference at the same ratio, paired by seed.

    accuracy, other: of the method and of the reference, over all of their runs.
    """

    setting: tuple[str, str, str]
    method: str
    reference: str
    ratio: float
    accuracy: Mean
    other: Mean
    comparison: Comparison

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`."""
        verdict = self.comparison.verdict
        side = "better" if self.comparison.difference.mean > 0 else "worse"
        shown = {"different": side, "likely different": f"likely_{side}", "equivalent": "as_good",
                 "small or none": "about_as_good"}  # fmt: skip
        return shown.get(verdict, verdict)


def methods_compared(
    frame: pd.DataFrame, metric: str, margin: float, alpha: float, design: Design = FIXED
) -> tuple[MethodComparison, ...]:
    """Every method against the references among them, in each setting, over the ratios that both have.

    frame: as `records.prepare` returns it. A claim, within which Holm's correction is made, is one method against one
    reference over its ratios. Of several variants of a reference the first is it, the others are methods.
    """
    tickets = frame[(frame["check"] == CONTROL) & (frame["ratio"] > 0)]
    final: list[MethodComparison] = []
    for place, rows in tickets.groupby(SETTING, sort=False):
        dataset, model, recipe = map(str, place)
        cells = {
            (str(method), float(cell["ratio"].iloc[0])): ran(cell).sort_values("seed")
            for (method, _), cell in rows.groupby(["method", "ratio"])
        }
        for method, reference in _pairs(list(dict.fromkeys(rows["method"]))):
            ratios = sorted(ratio for name, ratio in cells if name == method and (reference, ratio) in cells)
            sides = [(cells[method, ratio], cells[reference, ratio]) for ratio in ratios]
            claim = decided([compare(*side, metric, margin, design) for side in sides], margin, alpha, design)
            for ratio, (ours, theirs), comparison in zip(ratios, sides, claim, strict=True):
                accuracies = Mean.of(ours[metric]), Mean.of(theirs[metric])
                setting = dataset, model, recipe
                final.append(MethodComparison(setting, method, reference, ratio, *accuracies, comparison))
    return tuple(final)


def _pairs(methods: list[str]) -> Iterator[tuple[str, str]]:
    """Each method with each reference, but no two methods twice."""
    references = [next((method for method in methods if parse(method)[0].name == name), None) for name in REFERENCES]
    for place, reference in enumerate(references):
        if reference is not None:
            yield from ((method, reference) for method in methods if method not in references[: place + 1])
