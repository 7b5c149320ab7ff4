"""The comparison table in the terminal: within its width, the same without colour, and in the signs that it has."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports import doses, escape
from reports.controls import controls, judgement, verdict_on_controls
from reports.decomposition import decompositions, sentence
from reports.method_sentences import method_sentences
from reports.noise_floor import noise_floors
from reports.overview import legend, notes, overview, share
from reports.sentences import outlook
from reports.statistics import Cell, Summary
from reports.text import say
from reports.wording import (
    SYMBOLS,
    accuracy,
    inside_text,
    mean_std,
    method_name,
    metric_text,
    paper_number,
    percent,
    verdict_name,
    with_half,
    with_interval,
)

STYLES = {"identical": "cyan", "equivalent": "green", "small or none": "green", "different": "magenta",
          "likely different": "magenta", "undecided": "yellow", "not testable": "yellow", "missing": "dim"}  # fmt: skip
WIDTH = 100
NARROWEST = 12  # columns that the names of methods and checks get at least
GAP = 2  # between two columns
CLOSER = 4  # by how many characters a text may be wrapped more closely
FEWEST = 3  # columns that are always shown


@dataclass(frozen=True)
class Column:
    """A column of a table.

    widest: where its text is wrapped; 0 for numbers, which stand on one line, to the right.
    """

    name: str
    widest: int = 0


COMPARISONS = (Column("accuracy"), Column("difference"), Column("verdict", 16), Column("overlap"), Column("chance"))
PAPERS = (Column("ours"), Column("paper"), Column("delta"), Column("metric", 10), Column("paper is", 12))


@dataclass(frozen=True)
class Page:
    """Where the tables are printed: how wide it is, and the encoding, which says what signs it has."""

    width: int
    encoding: str

    def text(self, text: str, style: str = "") -> Text:
        """Text without markup: "[option=1]" is no style."""
        return Text(escape.terminal(text, self.encoding), style=style)


def show(
    summary: Summary,
    file: TextIO | None = None,
    remarks: Sequence[str] = (),
    placed: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> None:
    """Print the tables of every setting (dataset, model, recipe), and what must be known beside them.

    remarks: on the records as a whole. placed: where the methods stand among those of a reference set.
    notes: lines that stand below all.
    Plain and 100 columns wide where `file` (default: stdout) is not a terminal.
    """
    console, page = page_of(file)
    console.print(_render(summary, remarks, placed, page))
    for note in notes:
        console.print(page.text(note))


def page_of(file: TextIO | None) -> tuple[Console, Page]:
    """What prints to `file` (default: stdout), and how wide it is; plain and `WIDTH` wide where it is no terminal."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=WIDTH)
    encoding = getattr(file or sys.stdout, "encoding", None) or "utf-8"
    return console, Page(console.width, encoding)


def _render(summary: Summary, remarks: Sequence[str], placed: Sequence[str], page: Page) -> Group:
    parts: list[RenderableType] = []
    for setting in summary.names("setting"):
        cells = summary.select(setting=setting)
        compared = [_comparison(cell, summary, page) for cell in cells]
        columns: Sequence[Column] = COMPARISONS
        if any(floor >= 0 for floor in map(noise_floors(cells), cells)):
            columns = (*COMPARISONS, Column("resample"))
            for row, floor in zip(compared, map(noise_floors(cells), cells), strict=True):
                row.append(page.text(f"{100 * floor:.1f}" if floor >= 0 else ""))
        parts.append(_table(" · ".join(setting), columns, cells, compared, page))
        if papers := [cell for cell in cells if cell.paper]:
            rows = [_paper(cell, page) for cell in papers]
            parts.append(_table(say("caption.papers_terminal"), PAPERS, papers, rows, page))
        parts += [page.text(f"! {line}", "yellow") for line in _notes(cells)]
        parts += [page.text(sentence(one)) for one in decompositions(summary) if one.setting == setting]
        parts += [page.text(doses.sentence(slope)) for slope in doses.slopes(summary) if slope.setting == setting]
        if of := share(cells):
            parts.append(page.text(of, "dim"))
    parts += [page.text(told) for told in [*placed, *method_sentences(summary)]]
    parts += [page.text(f"! {remark}", "yellow") for remark in remarks]
    if known := controls(summary):
        style = "bold red" if any(control.state == "failed" for control in known) else "green"
        parts.append(page.text(verdict_on_controls(summary), style))
    parts.append(page.text(f"{overview(summary)} {legend(summary)}".strip(), "dim"))
    return Group(*parts)


def verdict_text(cell: Cell, summary: Summary) -> str:
    """The verdict with its sign, as in "≈ no effect"; for an open one also the seeds that would decide it."""
    if cell.comparison is None:
        return ""
    verdict = cell.comparison.verdict
    aside = "; ".join(filter(None, (outlook(cell, summary), judgement(cell))))
    return f"{SYMBOLS[verdict]} {verdict_name(verdict)}" + (f" ({aside})" if aside else "")


def _comparison(cell: Cell, summary: Summary, page: Page) -> list[Text]:
    comparison = cell.comparison
    verdict = comparison.verdict if comparison else ""
    return [
        page.text(accuracy(cell) + ("!" if notes(cell) else " ")),
        page.text(with_interval(comparison) if comparison and comparison.difference.n else ""),
        page.text(verdict_text(cell, summary), STYLES.get(verdict, "")),
        *(page.text(f"{100 * share:.1f}" if share >= 0 else "") for share in (cell.overlap, cell.expected_overlap)),
    ]


def _paper(cell: Cell, page: Page) -> list[Text]:
    assert cell.paper is not None  # by the selection of the caller
    delta = with_half(cell.paper.delta, cell.paper.half)
    texts = mean_std(cell.paper.ours), paper_number(cell.paper), delta, metric_text(cell.paper), inside_text(cell.paper)
    return [page.text(text) for text in texts]


def _table(
    title: str, columns: Sequence[Column], cells: Sequence[Cell], rows: Sequence[Sequence[Text]], page: Page
) -> Group:
    """A table whose first column names the checks below the heading of their method; it gives way where the numbers
    need the room. The headings stand between tables of the same widths, so that no column cuts them."""
    widths = _widths(columns, rows, page)
    left_out = [column.name for column in columns[len(widths) :]]
    columns, rows = columns[: len(widths)], [row[: len(widths)] for row in rows]
    room = max(NARROWEST, page.width - sum(widths) - GAP * len(columns))
    names = [page.text(_broken(f"  {cell.check}", room)) for cell in cells]
    shown = (Column("check", room), *columns)
    widths = [min(max(len(line) for text in names for line in text.plain.splitlines()), room), *widths]
    head = Table(title=page.text(title), title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    _add_columns(head, shown, widths)
    parts: list[RenderableType] = [head]
    for heading, group in groupby(zip(cells, names, rows, strict=True), lambda entry: _heading(entry[0])):
        table = Table(box=None, show_header=False, padding=(0, GAP, 0, 0), pad_edge=False)
        _add_columns(table, shown, widths)
        for _, name, row in group:
            table.add_row(name, *row)
        parts += [page.text(heading, "bold"), table]
    if left_out:
        parts.append(page.text(say("terminal.left_out", columns=", ".join(left_out)), "dim"))
    return Group(*parts)


def _broken(name: str, room: int) -> str:
    """A name in lines of `room` characters, broken behind its signs: "layerwise_", "rearrange"."""
    lines = [""]
    for piece in re.findall(r"\W*[^\W_]+[^\w\s]*_?|\W+|_", name):
        if lines[-1].strip() and len(lines[-1] + piece) > room:
            lines.append("   ")
        lines[-1] += piece
    return "\n".join(lines)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], page: Page) -> list[int]:
    """The widths of the columns that have room beside the names of the checks: first texts are wrapped more closely,
    then the last columns are left out whole, since a number that is cut is another number."""
    widths = [_width(column, [row[place] for row in rows]) for place, column in enumerate(columns)]
    while (excess := sum(widths) + GAP * len(widths) + NARROWEST - page.width) > 0:
        wrapped = [
            place for place, column in enumerate(columns[: len(widths)]) if widths[place] > column.widest - CLOSER > 0
        ]
        if wrapped and excess <= CLOSER:
            widths[wrapped[0]] -= 1
        elif len(widths) > FEWEST:
            widths.pop()
        else:
            break
    return widths


def _add_columns(table: Table, columns: Sequence[Column], widths: Sequence[int]) -> None:
    for column, width in zip(columns, widths, strict=True):
        justify: Literal["left", "right"] = "left" if column.widest else "right"
        table.add_column(
            column.name, justify=justify, no_wrap=not column.widest, min_width=width, max_width=width, overflow="fold"
        )


def _width(column: Column, texts: Sequence[Text]) -> int:
    longest = max((text.cell_len for text in texts), default=0)
    return max(len(column.name), min(longest, column.widest) if column.widest else longest)


def _heading(cell: Cell) -> str:
    return f"{method_name(cell.method)} {percent(cell.ratio)}"


def _notes(cells: Sequence[Cell]) -> Iterator[str]:
    """The notes on the cells, each once for a method and ratio, with the checks whose cells bear it."""
    for (method, ratio), group in groupby(cells, lambda cell: (cell.method, cell.ratio)):
        bearers: dict[str, list[str]] = {}
        rows = list(group)
        for cell in rows:
            for note in notes(cell):
                bearers.setdefault(note, []).append(cell.check)
        for note, checks in bearers.items():
            everywhere = 1 < len(rows) == len(checks)
            yield f"{method_name(method)} at {percent(ratio)}{'' if everywhere else f', {_joined(checks)}'}: {note}"


def _joined(checks: Sequence[str]) -> str:
    """ "none", "none and reinit", "none, reinit and rewire"."""
    *before, last = checks
    return f"{', '.join(before)} and {last}" if before else last
