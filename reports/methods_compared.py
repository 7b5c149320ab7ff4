"""Compares methods with random and with magnitude pruning, by the statistics by which checks are compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reports.analysis import Analysis
from reports.comparisons import Comparison, Mean, compare
from reports.designs import design_of
from reports.labels import parse
from reports.records import CONTROL
from reports.runs import Runs
from reports.verdicts import decided

REFERENCES = ("random", "magnitude")
OUTCOMES = ("better", "likely_better", "as_good", "about_as_good", "likely_worse", "worse", "undecided",
            "not testable", "missing")  # fmt: skip


@dataclass(frozen=True)
class MethodComparison:
    """The unperturbed tickets of a method against those of a reference at the same ratio, paired by seed.

    accuracy, other: of the method and of the reference, over all of their runs.
    """

    setting: tuple[str, ...]
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


def methods_compared(done: Mapping[tuple[Any, ...], Runs], analysis: Analysis) -> tuple[MethodComparison, ...]:
    """Every method against the references among them, in each setting, over the ratios that both have.

    done: `GROUP` -> the trainings that took place, by seed. A claim, within which Holm's correction is made, is one
    method against one reference over its ratios. Of several variants of a reference the first is it, the others are
    methods.
    """
    settings: dict[tuple[str, str, str], dict[tuple[str, float], Runs]] = {}
    for (dataset, model, recipe, method, check, ratio), runs in done.items():
        if check == CONTROL and ratio > 0:
            settings.setdefault((str(dataset), str(model), str(recipe)), {})[str(method), float(ratio)] = runs
    final: list[MethodComparison] = []
    for setting, cells in settings.items():
        for method, reference in _pairs(list(dict.fromkeys(method for method, _ in cells))):
            final += claim(setting, method, reference, cells, analysis)
    return tuple(final)


def claim(
    setting: tuple[str, ...],
    method: str,
    reference: str,
    cells: Mapping[tuple[str, float], Runs],
    analysis: Analysis,
) -> Iterator[MethodComparison]:
    """Compares one method with one other at every ratio that both have. cells: (method, ratio) -> its trainings."""
    metric, margin, design = analysis.metric, analysis.margin, design_of(analysis.design)
    ratios = sorted(ratio for name, ratio in cells if name == method and (reference, ratio) in cells)
    sides = [(cells[method, ratio], cells[reference, ratio]) for ratio in ratios]
    verdicts = decided([compare(*side, metric, margin, design) for side in sides], margin, analysis.alpha, design)
    for ratio, (ours, theirs), comparison in zip(ratios, sides, verdicts, strict=True):
        accuracies = Mean.of(ours[metric]), Mean.of(theirs[metric])
        yield MethodComparison(setting, method, reference, ratio, *accuracies, comparison)


def _pairs(methods: list[str]) -> Iterator[tuple[str, str]]:
    """Each method with each reference, but no two methods twice."""
    references = [next((method for method in methods if parse(method)[0].name == name), None) for name in REFERENCES]
    for place, reference in enumerate(references):
        if reference is not None:
            yield from ((method, reference) for method in methods if method not in references[: place + 1])
