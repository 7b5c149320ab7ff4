"""The comparison table in the terminal: narrow enough for 100 columns, the same without colour."""

from collections.abc import Iterator
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.numbers import SYMBOLS, mean_std, method_name, percent, points, seeds, share, with_half
from reports.sentences import notes, overview
from reports.statistics import Cell, Summary

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


def legend(summary: Summary) -> str:
    """What the columns mean, in two lines."""
    return (
        f"Accuracy: {summary.metric} test accuracy in percent, mean ± standard deviation (runs). Difference: to the "
        f"unperturbed ticket of the same seed, in points, ± half its 95 % interval. Equivalent: within "
        f"{summary.margin:g} points. Overlap: share of the kept weights that the unperturbed mask keeps too "
        f"(expected by chance). {percent(summary.alpha)} error; Holm's correction over {summary.family} tests."
    )


def verdict_text(cell: Cell) -> str:
    """The verdict with its sign, as in "≈ equivalent"; for an undecided one also the seeds that would decide it."""
    if cell.comparison is None:
        return ""
    verdict = cell.comparison.verdict
    wanted = f" ({seeds(cell.comparison)})" if verdict == "undecided" else ""
    return f"{SYMBOLS[verdict]} {verdict}{wanted}"


def _comparisons(setting: tuple[str, str, str], cells: list[Cell], summary: Summary) -> Table:
    table = Table(title=" · ".join(setting), title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("method", max_width=18, overflow="fold")
    table.add_column("ratio", justify="right", no_wrap=True)
    table.add_column("check", max_width=20, overflow="fold")
    table.add_column("accuracy", justify="right", no_wrap=True)
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("verdict", max_width=16)
    table.add_column("overlap", justify="right", max_width=16)
    for cell, first in _grouped(cells):
        flag = "!" if notes(cell) else ""
        verdict = cell.comparison.verdict if cell.comparison else ""
        difference = cell.comparison.difference if cell.comparison else None
        table.add_row(
            Text(method_name(cell.method) if first else ""),  # Text: "[option=1]" is no markup
            percent(cell.ratio) if first else "",
            Text(cell.check),
            mean_std(cell.accuracy) + flag,
            with_half(difference.mean, difference.half) if difference else "",
            Text(verdict_text(cell), style=STYLES.get(verdict, "")),
            f"{share(cell.overlap)} ({share(cell.expected_overlap)})" if cell.comparison and cell.overlap >= 0 else "",
            end_section=cell is cells[-1],
        )
    return table


def _papers(cells: list[Cell]) -> Table:
    title = "against the paper (delta: ours minus the paper's, ± half its 95 % interval)"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    for name, justify in (("method", "left"), ("ratio", "right"), ("check", "left"), ("metric", "left"),
                          ("ours", "right"), ("paper", "right"), ("delta", "right"), ("paper is", "left")):  # fmt: skip
        table.add_column(name, justify="right" if justify == "right" else "left", max_width=20, overflow="fold")
    for cell, first in _grouped([cell for cell in cells if cell.paper]):
        if cell.paper is None:
            continue
        name, ratio = (method_name(cell.method), percent(cell.ratio)) if first else ("", "")
        table.add_row(
            Text(name), ratio, Text(cell.check), metric_text(cell), mean_std(cell.paper.ours), paper_number(cell),
            with_half(cell.paper.delta, cell.paper.half), inside_text(cell),
        )  # fmt: skip
    return table


def metric_text(cell: Cell) -> str:
    """Which accuracy was compared with the paper's: "last", or "last (paper: unstated)"."""
    paper = cell.paper
    if paper is None:
        return ""
    return paper.compared + ("" if paper.metric == paper.compared else f" (paper: {paper.metric})")


def paper_number(cell: Cell) -> str:
    """The paper's mean ± its standard deviation (runs), with what it does not state left out."""
    paper = cell.paper
    if paper is None:
        return ""
    std = "" if paper.std != paper.std else f" ± {paper.std:.2f}"
    return points(paper.mean) + std + ("" if paper.n != paper.n else f" ({paper.n:.0f})")


def inside_text(cell: Cell) -> str:
    """Whether the paper's number lies inside our interval, and whose errors that counts."""
    paper = cell.paper
    if paper is None:
        return ""
    if not paper.ours.n:
        return "missing: no run"
    if paper.inside is None:
        return "not testable: too few runs"
    word = "✓ inside" if paper.inside else "✗ outside"
    return word + (", our error alone" if paper.errors == "ours" else "")


def _grouped(cells: list[Cell]) -> Iterator[tuple[Cell, bool]]:
    """Each cell, and whether it is the first of its method and ratio."""
    before = None
    for cell in cells:
        now = cell.method, cell.ratio
        yield cell, now != before
        before = now


def _where(cell: Cell) -> str:
    return f"{method_name(cell.method)} at {percent(cell.ratio)}, {cell.check}"
