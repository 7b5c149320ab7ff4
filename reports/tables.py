"""The tables of a report: every cell, methods against each other, the paper, decompositions, doses, outcomes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reports.answer import Value
from reports.decomposition import decompositions, gap_text, step_text
from reports.doses import interval_text, slopes
from reports.methods_compared import MethodComparison
from reports.noise_floor import noise_floors
from reports.overview import own_notes
from reports.paper import PaperDelta
from reports.records import CONTROL
from reports.sentences import outlook, still_needed
from reports.statistics import Cell, Summary
from reports.strips import row_of
from reports.text import say
from reports.wording import (
    SYMBOLS,
    accuracy,
    inside_text,
    mean_std,
    method_name,
    metric_text,
    outcome_name,
    p_value,
    paper_number,
    percent,
    points,
    share,
    verdict_name,
    with_half,
    with_interval,
)
from sanity.config.decomposition import LEVELS


@dataclass(frozen=True)
class Table:
    """A table that can be sorted, and filtered by the columns whose indices are in `filters`.

    folded: the heading of a table that a reader opens first; empty for one that is open.
    ids: what links to a row name it by, where anything does.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Value, ...], ...]
    filters: tuple[int, ...]
    folded: str = ""
    ids: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """What the table holds, in a few words."""
        return say(f"heading.{self.name}")

    @property
    def picture(self) -> str:
        """The kind of pictures that belong beside the table."""
        return "paper" if self.name == "papers" else ""

    def choices(self, column: int) -> list[str]:
        """The different texts of a column, in the order of the rows."""
        return [text for text in dict.fromkeys(row[column].text for row in self.rows) if text]


Getter = Callable[[Cell], Value]


def _comparisons(summary: Summary) -> Table:
    floor = noise_floors(summary.cells)
    columns: list[tuple[str, bool, Getter]] = [
        ("accuracy, %", True, lambda cell: Value(accuracy(cell), cell.accuracy.mean)),
        ("difference", True, _difference),
        ("excludes", True, _excluded),
        ("predicted", False, lambda cell: Value(say(f"predicted.{cell.predicted}") if cell.predicted else "")),
        ("verdict", False, lambda cell: _verdict(cell, summary)),
        ("p", True, lambda cell: _p(cell.comparison.p_different if cell.comparison else math.nan)),
        ("p (Holm)", True, lambda cell: _p(cell.comparison.p_holm if cell.comparison else math.nan)),
        ("overlap", True, lambda cell: _share(cell.overlap)),
        ("chance", True, lambda cell: _share(cell.expected_overlap)),
        ("resample", True, lambda cell: _share(floor(cell))),
        ("kept", True, lambda cell: Value("" if math.isnan(cell.kept) else f"{cell.kept:,.0f}", cell.kept)),
        ("notes", False, lambda cell: Value("; ".join(own_notes(cell, summary)))),
    ]  # fmt: skip
    table = _table("cells", say("caption.cells", metric=summary.metric), columns, summary.cells, summary)
    return replace(table, ids=tuple(map(row_of, summary.cells)))


def _methods(summary: Summary) -> Table:
    """A row for each method, reference and ratio; the settings are named where there are several."""
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
            _p(one.comparison.p_different),
            _p(one.comparison.p_holm),
        )
        for one in summary.methods
    )
    filters = (*range(len(several) + 3), len(several) + 6)
    return Table("methods", say("caption.methods"), tuple(columns), tuple(numeric), rows, filters)


def _outcome(one: MethodComparison) -> Value:
    word, verdict = outcome_name(one.outcome), one.comparison.verdict
    note = still_needed(one.comparison)
    return Value(f"{SYMBOLS[verdict]} {word}", verdict=verdict, note=note, word=word)


def _papers(summary: Summary) -> Table:
    columns: list[tuple[str, bool, Getter]] = [
        ("metric", False, _paper(lambda paper: Value(metric_text(paper)))),
        ("ours, %", True, _paper(lambda paper: Value(mean_std(paper.ours), paper.ours.mean))),
        ("paper, %", True, _paper(lambda paper: Value(paper_number(paper), paper.mean))),
        ("delta", True, _paper(lambda paper: Value(with_half(paper.delta, paper.half), paper.delta))),
        ("delta of the other", True, _paper(_other)),
        ("paper is", False, _paper(lambda paper: Value(inside_text(paper)))),
        ("read in", False, _paper(lambda paper: Value(paper.source))),
    ]  # fmt: skip
    return _table("papers", say("caption.papers"), columns, [cell for cell in summary.cells if cell.paper], summary)


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
            _accuracy(one.base),
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
            _p(slope.p),
            _p(slope.p_holm),
            Value(str(slope.n), slope.n),
        )
        for slope in slopes(summary)
    )
    filters = tuple(range(len(several) + 3))
    return Table("doses", say("caption.doses"), tuple(columns), tuple(numeric), rows, filters)


def _outcomes(summary: Summary) -> Table:
    columns: list[tuple[str, bool, Getter]] = [
        ("before training, %", True, lambda cell: _accuracy(cell.outcomes.start)),
        ("right after pruning, %", True, lambda cell: _accuracy(cell.outcomes.pruned)),
        ("after each round, %", False, lambda cell: Value(", ".join(points(mean) for mean in cell.outcomes.rounds))),
        ("after training, %", True, lambda cell: _accuracy(cell.accuracy.mean)),
        ("barrier, other order", True, lambda cell: _accuracy(cell.outcomes.barrier_orders)),
        ("barrier, control", True, lambda cell: _accuracy(cell.outcomes.barrier_control)),
    ]
    measured = [cell for cell in summary.cells if not math.isnan(cell.outcomes.start)]
    return replace(
        _table("outcomes", say("caption.outcomes"), columns, measured, summary), folded=say("caption.folded_outcomes")
    )


def _accuracy(mean: float) -> Value:
    return Value("" if math.isnan(mean) else points(mean), mean)


def _paper(getter: Callable[[PaperDelta], Value]) -> Getter:
    return lambda cell: getter(cell.paper) if cell.paper else Value("")


def _other(paper: PaperDelta) -> Value:
    """Where the paper reports neither the last nor the best accuracy: the delta of the one that was not compared."""
    if paper.metric in ("last", "best") or not paper.ours.n:
        return Value("")
    return Value(f"{points(paper.other, signed=True)} ({'best' if paper.compared == 'last' else 'last'})", paper.other)


def _key(name: str) -> Getter:
    return lambda cell: Value(str(getattr(cell, name)))


def _table(
    name: str, caption: str, columns: Sequence[tuple[str, bool, Getter]], cells: Sequence[Cell], summary: Summary
) -> Table:
    """A table that begins with those of dataset, model and recipe that differ, then method, ratio and check."""
    keys: list[tuple[str, bool, Getter]] = [
        (key, False, _key(key)) for key in ("dataset", "model", "recipe") if len(summary.names(key)) > 1
    ]
    keys += [
        ("method", False, lambda cell: Value(method_name(cell.method))),
        ("ratio", True, lambda cell: Value(percent(cell.ratio), cell.ratio)),
        ("check", False, lambda cell: Value(cell.check, "" if cell.check == CONTROL else cell.check)),
    ]
    filled = [column for column in columns if any(column[2](cell).text for cell in cells)]  # none says nothing
    shown = [*keys, *filled]
    filters = [place for place, (column, _, _) in enumerate(shown) if place < len(keys) or column == "verdict"]
    rows = tuple(tuple(getter(cell) for _, _, getter in shown) for cell in cells)
    return Table(
        name, caption, tuple(column for column, _, _ in shown), tuple(numeric for _, numeric, _ in shown), rows,
        tuple(filters),
    )  # fmt: skip


def _difference(cell: Cell) -> Value:
    if cell.comparison is None or not cell.comparison.difference.n:
        return Value("")
    difference = cell.comparison.difference
    pairs = "" if difference.n == cell.accuracy.n else f" ({difference.n})"
    return Value(with_interval(cell.comparison) + pairs, difference.mean)


def _excluded(cell: Cell) -> Value:
    comparison = cell.comparison
    excluded = math.nan if comparison is None or comparison.scattered else comparison.excluded
    return Value(f"± {excluded:.2f}" if math.isfinite(excluded) else "", excluded)


def _share(value: float) -> Value:
    return Value("" if math.isnan(value) else share(value), value)


def _verdict(cell: Cell, summary: Summary) -> Value:
    if cell.comparison is None:
        return Value("")
    verdict = cell.comparison.verdict
    return Value(f"{SYMBOLS[verdict]} {verdict_name(verdict)}", verdict=verdict, note=outlook(cell, summary))


def _p(value: float) -> Value:
    return Value("" if math.isnan(value) else p_value(value), value)


TABLES: tuple[Callable[[Summary], Table], ...] = (_comparisons, _methods, _papers, _decompositions, _slopes, _outcomes)


def tables(summary: Summary) -> tuple[Table, ...]:
    """The tables for which the records hold something."""
    return tuple(table for table in (build(summary) for build in TABLES) if table.rows)
