"""The tables of a report: every cell, methods against each other, the paper, decompositions, doses, outcomes."""

from collections.abc import Callable

from reports.answer import Value
from reports.cell_tables import comparisons, outcomes, papers
from reports.cost_table import costs
from reports.decomposition import decompositions, gap_text, step_text
from reports.doses import interval_text, slopes
from reports.methods_compared import MethodComparison
from reports.sentences import still_needed
from reports.statistics import Summary
from reports.table import Table, accuracy_value, p_of
from reports.text import say
from reports.wording import (
    SYMBOLS,
    mean_std,
    method_name,
    outcome_name,
    percent,
    points,
    verdict_name,
    with_interval,
)
from sanity.config.decomposition import LEVELS


def _methods(summary: Summary) -> Table:
    """A row for each method, reference and ratio of which one was run; settings are named where there are several."""
    several = [
        (name, place) for place, name in enumerate(("dataset", "model", "recipe")) if len(summary.names(name)) > 1
    ]
    columns = [*(name for name, _ in several), "method", "ratio", "against", "accuracy, %", "the other's, %",
               "difference", "verdict", "p", "p (Holm)"]  # fmt: skip
    numeric = [*(False for _ in several), False, True, False, True, True, True, False, True, True]
    rows = tuple(
        (
            *(Value(one.setting[place]) for _, place in several),
            Value(method_name(one.method)),
            Value(percent(one.ratio), one.ratio),
            Value(method_name(one.reference)),
            Value(mean_std(one.accuracy), one.accuracy.mean),
            Value(mean_std(one.other), one.other.mean),
            Value(with_interval(one.comparison) if one.comparison.difference.n else "", one.comparison.difference.mean),
            _outcome(one),
            p_of(one.comparison.p_different),
            p_of(one.comparison.p_holm),
        )
        for one in summary.methods
        if one.accuracy.n or one.other.n
    )
    filters = (*range(len(several) + 3), len(several) + 6)
    return Table("methods", say("caption.methods"), tuple(columns), tuple(numeric), rows, filters)


def _outcome(one: MethodComparison) -> Value:
    word, verdict = outcome_name(one.outcome), one.comparison.verdict
    note = still_needed(one.comparison)
    return Value(f"{SYMBOLS[verdict]} {word}", verdict=verdict, note=note, word=word)


def _decompositions(summary: Summary) -> Table:
    """A row for each method and ratio; the settings are named where there are several."""
    several = [
        (name, place) for place, name in enumerate(("dataset", "model", "recipe")) if len(summary.names(name)) > 1
    ]
    levels = [level.keeps for level in LEVELS]
    columns = [*(name for name, _ in several), "method", "ratio", "random, %", "gap", *levels, "n", "notes"]
    numeric = [False] * (len(several) + 1) + [True] * (len(levels) + 4) + [False]
    rows = tuple(
        (
            *(Value(one.setting[place]) for _, place in several),
            Value(method_name(one.method)),
            Value(percent(one.ratio), one.ratio),
            accuracy_value(one.base),
            Value(gap_text(one), one.gap.value),
            *(Value(step_text(step), step.points.value) for step in one.steps),
            Value(str(len(one.seeds)), len(one.seeds)),
            Value("" if one.clear else say("decomposition.no_gap")),
        )
        for one in decompositions(summary)
    )
    filters = tuple(range(len(several) + 2))
    return Table("decomposition", say("caption.decomposition"), tuple(columns), tuple(numeric), rows, filters)


def _slopes(summary: Summary) -> Table:
    """A row for each check that was made at several doses, method and ratio."""
    several = [
        (name, place) for place, name in enumerate(("dataset", "model", "recipe")) if len(summary.names(name)) > 1
    ]
    columns = [*(name for name, _ in several), "method", "ratio", "check", "doses", "points per unit", "interval",
               "verdict", "p", "p (Holm)", "n"]  # fmt: skip
    numeric = [*[False] * len(several), False, True, False, False, True, True, False, True, True, True]
    rows = tuple(
        (
            *(Value(slope.setting[place]) for _, place in several),
            Value(method_name(slope.method)),
            Value(percent(slope.ratio), slope.ratio),
            Value(slope.check),
            Value(f"{slope.option} = {', '.join(f'{dose:g}' for dose in slope.doses)}"),
            Value(points(slope.mean, signed=True), slope.mean),
            Value(interval_text(slope), slope.low),
            Value(f"{SYMBOLS[slope.verdict]} {verdict_name(slope.verdict)}", verdict=slope.verdict),
            p_of(slope.p),
            p_of(slope.p_holm),
            Value(str(slope.n), slope.n),
        )
        for slope in slopes(summary)
    )
    filters = tuple(range(len(several) + 3))
    return Table("doses", say("caption.doses"), tuple(columns), tuple(numeric), rows, filters)


TABLES: tuple[Callable[[Summary], Table], ...] = (
    *(comparisons, _methods, papers, _decompositions, _slopes, outcomes),
    costs,
)


def tables(summary: Summary) -> tuple[Table, ...]:
    """The tables for which the records hold something."""
    return tuple(table for table in (build(summary) for build in TABLES) if table.rows)
