"""The comparison table in the terminal: narrow enough for 100 columns, the same without colour."""

from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from reports.overview import legend, notes, overview
from reports.sentences import outlook
from reports.statistics import Cell, Mean, Summary
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
    with_half,
)

STYLES = {"identical": "cyan", "equivalent": "green", "different": "magenta", "undecided": "yellow", "missing": "dim"}
WIDTH = 100


def render(summary: Summary) -> Group:
    """The tables of every setting (dataset, model, recipe), and what must be known beside them."""
    parts: list[RenderableType] = []
    for setting in summary.names("setting"):
        cells = summary.select(setting=setting)
        parts.append(_comparisons(setting, cells, summary))
        if any(cell.paper for cell in cells):
            parts.append(_papers(cells))
        parts += [Text(f"! {_where(cell)}: {note}", style="yellow") for cell in cells for note in notes(cell)]
    parts.append(Text(f"{overview(summary)} {legend(summary)}", style="dim"))
    return Group(*parts)


def show(summary: Summary, file: TextIO | None = None) -> None:
    """Print `render(summary)`; plain and 100 columns wide where `file` (default: stdout) is not a terminal."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=WIDTH)
    console.print(render(summary))


def verdict_text(cell: Cell, summary: Summary) -> str:
    """The verdict with its sign, as in "≈ equivalent"; for an undecided one also the seeds that would decide it."""
    if cell.comparison is None:
        return ""
    verdict = cell.comparison.verdict
    needed = outlook(cell, summary)
    return f"{SYMBOLS[verdict]} {verdict}" + (f" ({needed})" if needed else "")


def _comparisons(setting: tuple[str, str, str], cells: list[Cell], summary: Summary) -> Table:
    table = _table(" · ".join(setting), cells, "accuracy", "difference", "verdict", "overlap", "chance")
    _as_text(table.columns[3], 17)
    for heading, group in _grouped(cells):
        table.add_row(heading, style="bold")
        for cell in group:
            verdict = cell.comparison.verdict if cell.comparison else ""
            difference = cell.comparison.difference if cell.comparison else Mean()
            table.add_row(
                Text(f"  {cell.check}"),
                accuracy(cell) + ("!" if notes(cell) else " "),
                with_half(difference.mean, difference.half) if difference.n else "",
                Text(verdict_text(cell, summary), style=STYLES.get(verdict, "")),
                *(f"{100 * one:.1f}" if one >= 0 else "" for one in (cell.overlap, cell.expected_overlap)),
            )
    return table


def _papers(cells: list[Cell]) -> Table:
    table = _table(say("caption.papers_terminal"), cells, "ours", "paper", "delta", "metric", "paper is")
    _as_text(table.columns[4], 10)
    _as_text(table.columns[5], 12)
    for heading, group in _grouped([cell for cell in cells if cell.paper]):
        table.add_row(heading, style="bold")
        for cell in group:
            assert cell.paper is not None  # by the selection above
            table.add_row(
                Text(f"  {cell.check}"), mean_std(cell.paper.ours), paper_number(cell.paper),
                with_half(cell.paper.delta, cell.paper.half), metric_text(cell.paper), inside_text(cell.paper),
            )  # fmt: skip
    return table


def _table(title: str, cells: list[Cell], *columns: str) -> Table:
    """A table whose first column names the method, and indented below it the checks."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    longest = max(max(len(_heading(cell)), len(cell.check) + 2) for cell in cells)
    table.add_column("check", min_width=min(longest, 30), max_width=30, overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _as_text(column: Column, width: int) -> None:
    column.justify, column.no_wrap, column.max_width = "left", False, width


def _grouped(cells: list[Cell]) -> list[tuple[Text, list[Cell]]]:
    """The cells of each method and ratio under their heading (`Text`, since "[option=1]" is no markup)."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(_heading(cell), []).append(cell)
    return [(Text(heading), group) for heading, group in groups.items()]


def _heading(cell: Cell) -> str:
    return f"{method_name(cell.method)} {percent(cell.ratio)}"


def _where(cell: Cell) -> str:
    return f"{method_name(cell.method)} at {percent(cell.ratio)}, {cell.check}"
