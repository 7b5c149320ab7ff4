"""What a report contains, before any format: Markdown, HTML, CSV and LaTeX are written from this one structure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from reports import figures, provenance
from reports.numbers import (
    DATASETS,
    MEANINGS,
    SYMBOLS,
    inside_text,
    mean_std,
    method_name,
    metric_text,
    p_value,
    paper_number,
    percent,
    points,
    seeds,
    share,
    with_half,
)
from reports.records import CONTROL
from reports.sentences import notes, overview, sentence
from reports.statistics import VERDICTS, Cell, PaperDelta, Summary
from reports.tables import legend

TITLE = "Does the ticket depend on what its method says?"


@dataclass(frozen=True)
class Value:
    """One cell of a table: what is shown, what it sorts by (numbers before text), and the verdict that it states."""

    text: str
    sort: float | str = ""
    verdict: str = ""
    note: str = ""

    @property
    def full(self) -> str:
        """Text and note in one, for formats without a second line."""
        return f"{self.text} ({self.note})" if self.note else self.text


@dataclass(frozen=True)
class Table:
    """A table that can be sorted, and filtered by the columns whose indices are in `filters`."""

    name: str
    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Value, ...], ...]
    filters: tuple[int, ...]

    def choices(self, column: int) -> list[str]:
        """The different texts of a column, in the order of the rows."""
        return [text for text in dict.fromkeys(row[column].text for row in self.rows) if text]


@dataclass(frozen=True)
class Finding:
    verdict: str
    text: str


Row = tuple[str, tuple["Value | None", ...]]


@dataclass(frozen=True)
class Answer:
    """The verdicts of one setting: a matrix, (method at ratio) x check, and a sentence for each of its entries."""

    setting: str
    checks: tuple[str, ...]
    rows: tuple[Row, ...]
    findings: tuple[tuple[str, tuple[Finding, ...]], ...]  # by method

    @property
    def size(self) -> int:
        return sum(len(found) for _, found in self.findings)


@dataclass(frozen=True)
class Content:
    """Everything that a report says."""

    title: str
    overview: str
    legend: str
    verdicts: tuple[tuple[str, str, str], ...]  # symbol, name, meaning, of those that occur
    answers: tuple[Answer, ...]
    tables: tuple[Table, ...]
    sections: tuple[figures.Section, ...]
    provenance: tuple[tuple[str, str], ...]
    summary: Summary


def assemble(frame: pd.DataFrame, summary: Summary, command: str = "", title: str = "") -> Content:
    """The content of the report of a frame of records and their `summary`."""
    present = {cell.comparison.verdict for cell in summary.cells if cell.comparison}
    return Content(
        title or TITLE,
        overview(summary),
        legend(summary),
        tuple((SYMBOLS[name], name, MEANINGS[name]) for name in VERDICTS if name in present),
        tuple(filter(None, (_answer(setting, summary) for setting in summary.names("setting")))),
        tuple(table for table in (_comparisons(summary), _papers(summary)) if table.rows),
        tuple(figures.draw(summary)),
        tuple(provenance.entries(frame, command)),
        summary,
    )


def setting_name(setting: tuple[str, str, str]) -> str:
    """ "CIFAR-10, resnet32, recipe su2020"."""
    dataset, model, recipe = setting
    return f"{DATASETS.get(dataset, dataset)}, {model}, recipe {recipe}"


def _answer(setting: tuple[str, str, str], summary: Summary) -> Answer | None:
    compared = [cell for cell in summary.select(setting=setting) if cell.comparison]
    if not compared:
        return None
    checks = tuple(dict.fromkeys(cell.check for cell in compared))
    rows: list[Row] = []
    findings: dict[str, tuple[Finding, ...]] = {}
    for method in dict.fromkeys(cell.method for cell in compared):
        own = [cell for cell in compared if cell.method == method]
        absent = _without_runs(own)
        told = [cell for cell in own if cell.ratio not in absent]
        for ratio in dict.fromkeys(cell.ratio for cell in told):
            found = {cell.check: cell for cell in told if cell.ratio == ratio}
            rows.append((f"{method_name(method)} {percent(ratio)}", tuple(_entry(found.get(one)) for one in checks)))
        said = [Finding(_verdict_of(cell), sentence(cell, summary)) for cell in told]
        if absent:
            nothing = Value("", verdict="missing")
            rows.append((f"{method_name(method)}, {len(absent)} other ratios", (nothing,) * len(checks)))
            where = ", ".join(map(percent, absent))
            said.append(Finding("missing", f"{method_name(method)} has not been compared at {where}: no run is there."))
        findings[method_name(method)] = tuple(said)
    return Answer(setting_name(setting), checks, tuple(rows), tuple(findings.items()))


def _without_runs(cells: Sequence[Cell]) -> list[float]:
    """The ratios of a method that nothing is there to compare at, where they are several: a table that is run in part
    would be little else."""
    present = {cell.ratio for cell in cells if not _is_missing(cell)}
    absent = [ratio for ratio in dict.fromkeys(cell.ratio for cell in cells) if ratio not in present]
    return absent if len(absent) > 1 else []


def _verdict_of(cell: Cell) -> str:
    return cell.comparison.verdict if cell.comparison else ""


def _is_missing(cell: Cell) -> bool:
    return _verdict_of(cell) == "missing"


def _entry(cell: Cell | None) -> Value | None:
    if cell is None or cell.comparison is None:
        return None
    difference, verdict = cell.comparison.difference, cell.comparison.verdict
    moved = with_half(difference.mean, difference.half) if difference.n and verdict != "identical" else ""
    flag = f"{len(notes(cell))} note{'s' if len(notes(cell)) > 1 else ''} on this cell" if notes(cell) else ""
    return Value(moved, verdict=verdict, note=flag)


Getter = Callable[[Cell], Value]


def _comparisons(summary: Summary) -> Table:
    columns: list[tuple[str, bool, Getter]] = [
        ("accuracy, %", True, lambda cell: Value(mean_std(cell.accuracy), cell.accuracy.mean)),
        ("difference", True, _difference),
        ("verdict", False, _verdict),
        ("p (Holm)", True, _p),
        ("overlap", True, lambda cell: _share(cell.overlap)),
        ("chance", True, lambda cell: _share(cell.expected_overlap)),
        ("kept", True, lambda cell: Value("" if math.isnan(cell.kept) else f"{cell.kept:,.0f}", cell.kept)),
        ("notes", False, lambda cell: Value("; ".join(notes(cell)))),
    ]  # fmt: skip
    caption = f"Every cell: {summary.metric} test accuracy, and the difference to the same seed's unperturbed ticket"
    return _table("cells", caption, columns, summary.cells, summary)


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
    caption = (
        "Ours against the paper's: delta is ours minus the paper's, ± half its 95 % interval with the paper's rounding"
    )
    return _table("papers", caption, columns, [cell for cell in summary.cells if cell.paper], summary)


def _paper(getter: Callable[[PaperDelta], Value]) -> Getter:
    return lambda cell: getter(cell.paper) if cell.paper else Value("")


def _other(paper: PaperDelta) -> Value:
    """Where the paper does not say which accuracy it reports: the delta of the one that was not compared."""
    if paper.metric != "unstated" or not paper.ours.n:
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
    told = [column for column in columns if any(column[2](cell).text for cell in cells)]  # none says nothing
    every = [*keys, *told]
    filters = [i for i, (column, _, _) in enumerate(every) if i < len(keys) or column == "verdict"]
    rows = tuple(tuple(getter(cell) for _, _, getter in every) for cell in cells)
    return Table(
        name, caption, tuple(column for column, _, _ in every), tuple(numeric for _, numeric, _ in every), rows,
        tuple(filters),
    )  # fmt: skip


def _difference(cell: Cell) -> Value:
    if cell.comparison is None or not cell.comparison.difference.n:
        return Value("")
    difference = cell.comparison.difference
    pairs = "" if difference.n == cell.accuracy.n else f" ({difference.n})"
    return Value(with_half(difference.mean, difference.half) + pairs, difference.mean)


def _share(value: float) -> Value:
    return Value("" if math.isnan(value) else share(value), value)


def _verdict(cell: Cell) -> Value:
    if cell.comparison is None:
        return Value("")
    verdict = cell.comparison.verdict
    wanted = seeds(cell.comparison) if verdict == "undecided" else ""
    return Value(f"{SYMBOLS[verdict]} {verdict}", verdict=verdict, note=wanted)


def _p(cell: Cell) -> Value:
    return Value(p_value(cell.comparison.p_holm), cell.comparison.p_holm) if cell.comparison else Value("")
