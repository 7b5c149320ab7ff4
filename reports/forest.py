"""Draws the differences that are judged: a row a comparison, with its interval, its seeds and the margin."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from reports.bounded import drawn_ends, interval, possible
from reports.comparisons import Comparison
from reports.plots import INK, PALETTE
from reports.records import CONTROL
from reports.references import DENSE, is_control, is_random
from reports.sentences import change
from reports.statistics import Cell, Summary
from reports.text import counted, say
from reports.wording import SYMBOLS, check_name, method_name, percent, points

ROWS = 20  # more cannot be read at once
PITCH = 0.2  # inches
FAR = 8  # margins; differences beyond that need a logarithmic axis
COLOURS = {"identical": PALETTE[0], "equivalent": PALETTE[2], "small or none": PALETTE[2], "different": PALETTE[3],
           "likely different": PALETTE[3]}  # fmt: skip


@dataclass(frozen=True)
class Forest:
    """The comparisons of one setting at one sparsity, the largest difference of each method first."""

    cells: tuple[Cell, ...]
    omitted: int


def forests(summary: Summary) -> Iterator[Forest]:
    """One for each setting in which anything is compared: at the highest sparsity at which most can be tested."""
    for setting in summary.names("setting"):
        compared = [cell for cell in summary.select(setting=setting) if _drawn(cell)]
        if not compared:
            continue
        ratio = _ratio_that_matters(compared)
        rows = sorted((cell for cell in compared if cell.ratio == ratio), key=lambda cell: -_size(cell))
        if len({cell.ratio for cell in compared}) * len(rows) <= ROWS // 2:
            rows = sorted(compared, key=lambda cell: (cell.ratio, -_size(cell)))
        kept = rows[:ROWS]
        methods = list(dict.fromkeys(cell.method for cell in kept))
        kept.sort(key=lambda cell: (cell.ratio, methods.index(cell.method)))
        yield Forest(tuple(kept), len(rows) - len(kept))


def _drawn(cell: Cell) -> bool:
    return cell.comparison is not None and cell.comparison.difference.n > 0


def _ratio_that_matters(cells: Sequence[Cell]) -> float:
    ratios = sorted({cell.ratio for cell in cells}, reverse=True)
    for ratio in ratios:
        here = [cell for cell in cells if cell.ratio == ratio]
        if sum(cell.compared.verdict != "not testable" for cell in here) * 2 >= len(here):
            return ratio
    return ratios[0]


def _size(cell: Cell) -> float:
    return abs(cell.compared.difference.mean)


def height(forest: Forest) -> float:
    """The height of the picture in inches."""
    return 1.0 + PITCH * (len(forest.cells) + _headed(forest))


def _headed(forest: Forest) -> int:
    return len({(cell.method, cell.ratio) for cell in forest.cells})


def title(forest: Forest, several: bool) -> str:
    """The sparsity, where all rows have one, and the setting where there are several."""
    ratios = {cell.ratio for cell in forest.cells}
    at = f"At {percent(round(forest.cells[0].ratio, 3))}" if len(ratios) == 1 else say("picture.forest")
    return at + (f" · {', '.join(forest.cells[0].setting)}" if several else "")


def note(forests: Sequence[Forest], summary: Summary) -> str:
    """How to read the pictures, and that intervals are cut off or rows of the first left out where some are."""
    texts = [say("forest.note")]
    texts += [say("forest.wider")] if any(wider(forest, summary) for forest in forests) else []
    texts += [say("forest.omitted", count=len(forests[0].cells))] if forests[0].omitted else []
    return " ".join(texts)


def alt(forest: Forest) -> str:
    """What the picture shows, as a sentence."""
    clear = [cell for cell in forest.cells if cell.compared.verdict == "different"]
    ratios = {cell.ratio for cell in forest.cells}
    at = say("forest.alt_at", ratio=percent(round(forest.cells[0].ratio, 3))) if len(ratios) == 1 else ""
    drawn = counted(len(forest.cells), "difference") + at
    if not clear:
        return say("forest.alt_none", drawn=drawn)
    most = max(clear, key=_size)
    return say("forest.alt", drawn=drawn, count=len(clear), change=change([most]), method=method_name(most.method),
               check=check_name(most.check))  # fmt: skip


def paint(axes: Axes, forest: Forest, summary: Summary) -> None:
    """Draws the rows under the name of their method; beyond a few margins the axis is logarithmic."""
    labels: dict[float, str] = {}
    place, above = 0.0, None
    one_ratio = len({cell.ratio for cell in forest.cells}) == 1
    reach = max((abs(end) for cell in forest.cells for end in _ends(cell, summary)), default=0.0)
    if reach > FAR * summary.margin:
        axes.set_xscale("symlog", linthresh=2 * summary.margin, linscale=1.2)
    axes.axvspan(-summary.margin, summary.margin, color=INK, alpha=0.16, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.8)
    for cell in forest.cells:
        if above != (cell.method, cell.ratio):
            above = cell.method, cell.ratio
            labels[place] = method_name(cell.method) + ("" if one_ratio else f", {percent(round(cell.ratio, 3))}")
            _references(axes, place, cell, summary)
            place += 1
        labels[place] = f"{SYMBOLS[cell.compared.verdict]} {check_name(cell.check)}"
        _row(axes, place, cell.compared, possible(_control(cell, summary)))
        place += 1
    axes.set_yticks(list(labels), list(labels.values()))
    for text, label in zip(axes.get_yticklabels(), labels.values(), strict=True):
        text.set_fontweight("normal" if label.split(" ")[0] in SYMBOLS.values() else "bold")
    axes.set_ylim(place - 0.4, -0.6)
    axes.xaxis.set_major_formatter(
        FuncFormatter(
            lambda value, _: points(
                value, signed=True, digits=0 if reach > FAR * summary.margin and summary.margin % 0.5 == 0 else 1
            )
        )
    )
    axes.tick_params(axis="x", labelsize=7)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("difference to the unperturbed ticket, points")
    if reach > FAR * summary.margin:
        ticks = [side * summary.margin * step for step in (2, 20, 200) for side in (-1, 1)]
        low, high = axes.get_xlim()
        axes.set_xticks([0.0, *(tick for tick in ticks if low <= tick <= high)])
        axes.minorticks_off()


def _row(axes: Axes, place: float, comparison: Comparison, limits: tuple[float, float]) -> None:
    colour = COLOURS.get(comparison.verdict, PALETTE[5])
    seeds = [moved for _, moved in comparison.seeds] or [comparison.difference.mean]
    axes.plot(seeds, [place] * len(seeds), "o", color=colour, markersize=3, alpha=0.55, markeredgewidth=0)
    if _has_line(comparison):
        interval(axes, (comparison.low, comparison.high), place, limits, color=colour, linewidth=1.6)
    axes.plot(comparison.difference.mean, place, "D", color=colour, markersize=4.5)


def _has_line(comparison: Comparison) -> bool:
    return math.isfinite(comparison.low + comparison.high) and not comparison.scattered


def _references(axes: Axes, place: float, cell: Cell, summary: Summary) -> None:
    """How far random pruning and the dense network lie from the ticket, in the row with the method's name."""
    dense, random = _reference_points(cell, summary)
    axes.plot(dense, [place] * len(dense), "|", color=INK, markersize=8, markeredgewidth=1.6)
    axes.plot(random, [place] * len(random), "d", color=INK, fillstyle="none", markersize=5)


def _reference_points(cell: Cell, summary: Summary) -> tuple[list[float], list[float]]:
    """The differences of the dense network and of random pruning to the method's unperturbed ticket, where known."""
    own = _control(cell, summary)
    dense = summary.select(setting=cell.setting, method=DENSE, check=CONTROL)[:1]
    tickets = summary.select(setting=cell.setting, check=CONTROL, ratio=cell.ratio)
    itself = is_random(cell.method) or is_control(cell.method)
    random = [] if itself else [ticket for ticket in tickets if is_random(ticket.method)]
    to_dense, to_random = ([one.accuracy.mean - own for one in cells if one.accuracy.n] for cells in (dense, random))
    return to_dense, to_random


def _control(cell: Cell, summary: Summary) -> float:
    """The mean accuracy of the method's unperturbed ticket, in percent; NaN where there is none."""
    tickets = summary.select(setting=cell.setting, method=cell.method, check=CONTROL, ratio=cell.ratio)
    return tickets[0].accuracy.mean if tickets else math.nan


def _ends(cell: Cell, summary: Summary) -> list[float]:
    """Everything that is drawn of a cell and of what stands beside its method's name."""
    comparison = cell.compared
    ends = [moved for _, moved in comparison.seeds] + [comparison.difference.mean]
    if _has_line(comparison):
        ends += drawn_ends((comparison.low, comparison.high), possible(_control(cell, summary)))
    dense, random = _reference_points(cell, summary)
    return ends + [end for end in (*dense, *random) if math.isfinite(end)]


def wider(forest: Forest, summary: Summary) -> bool:
    """Whether any interval is cut off in the picture, since it is wider than what accuracies allow."""
    for cell in forest.cells:
        comparison = cell.compared
        ends = comparison.low, comparison.high
        if _has_line(comparison) and drawn_ends(ends, possible(_control(cell, summary))) != ends:
            return True
    return False
