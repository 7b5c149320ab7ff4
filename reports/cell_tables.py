"""The tables with a row a cell: all of them, those that a paper prints, accuracies before the training."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from reports.answer import Value
from reports.noise_floor import noise_floors
from reports.overview import own_notes
from reports.paper import PaperDelta
from reports.records import CONTROL
from reports.sentences import outlook
from reports.statistics import Cell, Summary
from reports.strips import row_of
from reports.table import Table, accuracy_value, p_of
from reports.text import counted, say
from reports.wording import (
    SYMBOLS,
    accuracy,
    inside_text,
    mean_std,
    method_name,
    metric_text,
    paper_number,
    percent,
    points,
    share,
    verdict_name,
    with_half,
    with_interval,
)

Getter = Callable[[Cell], Value]
Column = tuple[str, bool, Getter]


def comparisons(summary: Summary) -> Table:
    """Every cell; those that were never run, unless a paper prints a number for them, in a table of their own."""
    floor = noise_floors(summary.cells)
    columns: list[Column] = [
        ("accuracy, %", True, lambda cell: Value(accuracy(cell), cell.accuracy.mean)),
        ("difference", True, _difference),
        ("excludes", True, _excluded),
        ("predicted", False, lambda cell: Value(say(f"predicted.{cell.predicted}") if cell.predicted else "")),
        ("verdict", False, lambda cell: _verdict(cell, summary)),
        ("p", True, lambda cell: p_of(cell.comparison.p_different if cell.comparison else math.nan)),
        ("p (Holm)", True, lambda cell: p_of(cell.comparison.p_holm if cell.comparison else math.nan)),
        ("overlap", True, lambda cell: share_value(cell.overlap)),
        ("chance", True, lambda cell: share_value(cell.expected_overlap)),
        ("resample", True, lambda cell: share_value(floor(cell))),
        ("kept", True, lambda cell: Value("" if math.isnan(cell.kept) else f"{cell.kept:,.0f}", cell.kept)),
        ("notes", False, lambda cell: Value("; ".join(own_notes(cell, summary)))),
    ]  # fmt: skip
    there, never = _by_whether_run(summary.cells)
    table = of_cells("cells", say("caption.cells", metric=summary.metric), columns, there, summary)
    unrun = _unrun("cells", columns[-1:], [cell for cell in never if not cell.paper], summary)
    return replace(table, ids=tuple(map(row_of, there)), unrun=unrun)


def papers(summary: Summary) -> Table:
    """Every cell for which a paper prints a number; those that were never run in a table of their own."""
    columns: list[Column] = [
        ("metric", False, _paper(lambda paper: Value(metric_text(paper)))),
        ("ours, %", True, _paper(lambda paper: Value(mean_std(paper.ours), paper.ours.mean))),
        ("paper, %", True, _paper(lambda paper: Value(paper_number(paper), paper.mean))),
        ("delta", True, _paper(lambda paper: Value(with_half(paper.delta, paper.half), paper.delta))),
        ("delta of the other", True, _paper(_other)),
        ("paper is", False, _paper(lambda paper: Value(inside_text(paper)))),
        ("read in", False, _paper(lambda paper: Value(paper.source))),
    ]  # fmt: skip
    there, never = _by_whether_run([cell for cell in summary.cells if cell.paper])
    table = of_cells("papers", say("caption.papers"), columns, there, summary)
    told = [column for column in columns if column[0] in ("paper, %", "read in")]
    return replace(table, unrun=_unrun("papers", told, never, summary))


def _by_whether_run(cells: Sequence[Cell]) -> tuple[Sequence[Cell], Sequence[Cell]]:
    """Those that were run and those that never were; all of them first where none was."""
    there = [cell for cell in cells if not cell.never_run]
    return (there, [cell for cell in cells if cell.never_run]) if there else (cells, [])


def _unrun(name: str, columns: Sequence[Column], cells: Sequence[Cell], summary: Summary) -> Table | None:
    """The table of what was asked for or printed, but never run; None where there is no such cell."""
    if not cells:
        return None
    table = of_cells(f"{name}-unrun", say(f"caption.unrun_{name}"), columns, cells, summary)
    folded = say("caption.unrun", cells=counted(len(cells), "cell"))
    return replace(table, ids=tuple(map(row_of, cells)), folded=folded)


def outcomes(summary: Summary) -> Table:
    """Accuracies before the training and after each round, where these were measured."""
    columns: list[Column] = [
        ("before training, %", True, lambda cell: accuracy_value(cell.outcomes.start)),
        ("right after pruning, %", True, lambda cell: accuracy_value(cell.outcomes.pruned)),
        ("after each round, %", False, lambda cell: Value(", ".join(points(mean) for mean in cell.outcomes.rounds))),
        ("after training, %", True, lambda cell: accuracy_value(cell.accuracy.mean)),
        ("at early stopping, %", True, lambda cell: accuracy_value(cell.outcomes.early_stop)),
        ("in epoch", True, lambda cell: accuracy_value(cell.outcomes.early_epoch)),
        ("barrier, other order", True, lambda cell: accuracy_value(cell.outcomes.barrier_orders)),
        ("barrier, control", True, lambda cell: accuracy_value(cell.outcomes.barrier_control)),
    ]
    measured = [cell for cell in summary.cells if not math.isnan(cell.outcomes.start)]
    return replace(
        of_cells("outcomes", say("caption.outcomes"), columns, measured, summary), folded=say("caption.folded_outcomes")
    )


def _paper(getter: Callable[[PaperDelta], Value]) -> Getter:
    return lambda cell: getter(cell.paper) if cell.paper else Value("")


def _other(paper: PaperDelta) -> Value:
    """Where the paper reports neither the last nor the best accuracy: the delta of the one that was not compared."""
    if paper.metric in ("last", "best") or not paper.ours.n:
        return Value("")
    return Value(f"{points(paper.other, signed=True)} ({'best' if paper.compared == 'last' else 'last'})", paper.other)


def _key(name: str) -> Getter:
    return lambda cell: Value(str(getattr(cell, name)))


def of_cells(name: str, caption: str, columns: Sequence[Column], cells: Sequence[Cell], summary: Summary) -> Table:
    """A table that begins with those of dataset, model and recipe that differ, then method, ratio and check."""
    keys: list[Column] = [
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


def share_value(value: float) -> Value:
    """A share in percent; nothing where there is none."""
    return Value("" if math.isnan(value) else share(value), value)


def _verdict(cell: Cell, summary: Summary) -> Value:
    if cell.comparison is None:
        return Value("")
    verdict = cell.comparison.verdict
    return Value(f"{SYMBOLS[verdict]} {verdict_name(verdict)}", verdict=verdict, note=outlook(cell, summary))
