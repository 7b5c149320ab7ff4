"""Writes what a reference set holds: accuracy of every method at every ratio, and what each check costs each method."""

from collections.abc import Iterator, Sequence

import pandas as pd

from reports.analysis import Analysis
from reports.margin import margin_of
from reports.records import CONTROL
from reports.references import DENSE
from reports.statistics import Cell, Summary, summarise
from reports.text import counted, say
from reports.verify import repeats_told
from reports.wording import SYMBOLS, check_name, mean_std, method_name, percent, points, verdict_name
from reproductions import reference
from reproductions.panels import cells_of


def summary_of(frame: pd.DataFrame) -> Summary:
    """Returns the cells of a set with their comparisons, by the margin that a report would choose."""
    return summarise(frame, Analysis(margin=margin_of(frame), compare="none"))


def page(name: str, frame: pd.DataFrame) -> str:
    """Returns the set as Markdown: what is measured of the grid, accuracies, and checks with verdicts."""
    return "\n".join(_lines(name, summary_of(frame), frame))


def _lines(name: str, summary: Summary, frame: pd.DataFrame) -> Iterator[str]:
    declared = reference.declaration(name)
    yield from (f"# {declared['title']}", "", " ".join(declared["description"].split()), "")
    yield say("reference.held", held=held(name, summary), name=name, machine=_machine(frame))
    if again := repeats_told(frame):
        yield from ("", say("remark.verified", outcome=again))
    tickets = [cell for cell in summary.cells if cell.check == CONTROL and cell.ratio > 0]
    ratios = sorted({cell.ratio for cell in tickets})
    dense = summary.select(method=DENSE)
    yield from ("", "## Accuracy", "", say("reference.accuracy", dense=mean_std(dense[0].accuracy) if dense else ""))
    yield from ("", *_head("method", map(percent, ratios)))
    for method in by_accuracy(tickets):
        found = {cell.ratio: cell for cell in tickets if cell.method == method}
        yield _row(method_name(method), (mean_std(found[at].accuracy) if at in found else "" for at in ratios))
    compared = [cell for cell in summary.cells if cell.comparison]
    if compared:
        columns = list(dict.fromkeys((cell.check, cell.ratio) for cell in compared))
        yield from ("", "## What each check costs", "", say("reference.checks", margin=f"{summary.margin:g}"), "")
        yield from _head("method", (f"{check_name(check)}, {percent(ratio)}" for check, ratio in columns))
        for method in by_accuracy([cell for cell in tickets if cell.method in {one.method for one in compared}]):
            cells = {(cell.check, cell.ratio): cell for cell in compared if cell.method == method}
            yield _row(method_name(method), (verdict(cells[at]) if at in cells else "" for at in columns))
        present = dict.fromkeys(cell.comparison.verdict for cell in compared if cell.comparison)
        yield from ("", ", ".join(f"{SYMBOLS[name]} {verdict_name(name)}" for name in present) + ".")


def held(name: str, summary: Summary) -> str:
    """Returns how much of the grid is measured: "all of it", or how many of its cells with how many seeds."""
    asked, seeds = _asked(name)
    runs = sum(len(cell.seeds) for cell in summary.cells)
    found = sorted({len(cell.seeds) for cell in summary.cells})
    n = " to ".join(dict.fromkeys(map(str, (found[0], found[-1]))))
    whole = runs >= asked * seeds
    return say("reference.whole" if whole else "reference.part", cells=counted(len(summary.cells), "cell"), asked=asked,
               n=n, seeds=seeds)  # fmt: skip


def _asked(name: str) -> tuple[int, int]:
    """Returns how many cells the grid of a set has, and how many seeds each."""
    panels = reference.panels(name)
    cells = {tuple(cell.items()) for panel in panels for cell in cells_of(panel)}  # panels share the dense network
    return len(cells), len(panels[0]["seeds"])


def _machine(frame: pd.DataFrame) -> str:
    """Returns on what the records were made, as they say."""
    return ", ".join(sorted({str(device) for device in frame["device"].dropna()}))


def by_accuracy(tickets: Sequence[Cell]) -> list[str]:
    """Returns the methods, the most accurate at the highest ratio that they have first."""
    best = {cell.method: (cell.ratio, cell.accuracy.mean) for cell in sorted(tickets, key=lambda cell: cell.ratio)}
    return sorted(best, key=lambda method: best[method], reverse=True)


def verdict(cell: Cell) -> str:
    """Returns the sign of a verdict and the difference in points: "≈ +0.2"."""
    moved = cell.compared.difference
    shown = f" {points(moved.mean, signed=True, digits=1)}" if moved.n and cell.compared.verdict != "identical" else ""
    return f"{SYMBOLS[cell.compared.verdict]}{shown}"


def _head(first: str, names: Iterator[str] | map) -> list[str]:
    columns = [first, *names]
    return [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]


def _row(first: str, values: Iterator[str]) -> str:
    return f"| {' | '.join([first, *values])} |"
