"""Draws a reference set: accuracy of all methods by ratio, and a heat map of what each check costs each method."""

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.bounded import bars
from reports.canvas import style
from reports.plots import DASHES, INK, MARKERS, PALETTE, axis_of_sparsity, drawable, limits
from reports.records import CONTROL
from reports.reference_sets import by_accuracy, verdict
from reports.references import DENSE
from reports.statistics import Cell, Summary
from reports.wording import check_name, method_name, percent

WIDTH = 7.5  # inches
ASIDE = 0.12  # share of the weights left by which methods of one ratio stand apart, so that intervals are told apart
WORST = 10.0  # points of accuracy at which the colours of the heat map end


def pictures(name: str, summary: Summary) -> dict[str, str]:
    """Returns file name -> SVG."""
    drawn = {"accuracy": _accuracy(summary)}
    if any(cell.comparison for cell in summary.cells):
        drawn["checks"] = _checks(summary)
    return {f"{name}_{kind}.svg": _svg(figure, f"{name}_{kind}") for kind, figure in drawn.items()}


def _svg(figure: Figure, name: str) -> str:
    with mpl.rc_context(style(name)):
        file = io.StringIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    return file.getvalue()


def _accuracy(summary: Summary) -> Figure:
    """Mean accuracy by ratio, a line a method with its 95 % interval; a single run is a hollow mark without one."""
    with mpl.rc_context(style("accuracy")):
        figure = Figure(figsize=(WIDTH, 5), layout="constrained")
        axes = figure.subplots()
        tickets = [cell for cell in summary.cells if cell.check == CONTROL and cell.ratio > 0]
        ranked, dense = by_accuracy(tickets), summary.select(method=DENSE)
        means = [cell.accuracy.mean for cell in (*tickets, *dense)]
        for place, method in enumerate(ranked):
            cells = sorted((cell for cell in tickets if cell.method == method), key=lambda cell: cell.ratio)
            _line(axes, cells, place, len(ranked), drawable(means))
        for cell in dense:
            axes.axhline(cell.accuracy.mean, color=INK, linewidth=0.8, label=method_name(DENSE))
        axes.set_ylabel("test accuracy, %")
        limits(axes, means)
        axis_of_sparsity(axes, sorted({cell.ratio for cell in tickets}))
        figure.legend(loc="outside right upper", frameon=False)
        return figure


def _line(axes: Axes, cells: Sequence[Cell], place: int, methods: int, ends: tuple[float, float]) -> None:
    """Draws the tickets of one method, whose place in the order gives colour, mark, dashes and a step aside; intervals
    between the ends."""
    look = Look(PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)])
    aside = (1 + ASIDE) ** (2 * place / max(1, methods - 1) - 1)
    at = np.array([100 * (1 - cell.ratio) * aside for cell in cells])
    means = np.array([cell.accuracy.mean for cell in cells])
    halves = np.nan_to_num(np.array([cell.accuracy.half for cell in cells]))
    axes.plot(at, means, color=look.colour, marker=look.marker, linestyle=(0, look.dashes or (1, 0)),
              label=method_name(cells[0].method))  # fmt: skip
    intervals = [*zip(means - halves, means + halves, strict=True)]
    bars(axes, at.tolist(), intervals, ends, color=look.colour, linewidth=0.6)
    alone = np.array([cell.accuracy.n == 1 for cell in cells])
    axes.plot(at[alone], means[alone], linestyle="", color=look.colour, marker=look.marker, markerfacecolor="white",
              zorder=3)  # fmt: skip


class Look(NamedTuple):
    """How the line of a method is drawn."""

    colour: str
    marker: str
    dashes: tuple[float, ...]


def _checks(summary: Summary) -> Figure:
    """A heat map for each ratio: a row for each method, a column for each check, the difference and its verdict."""
    compared = [cell for cell in summary.cells if cell.comparison]
    ratios = sorted({cell.ratio for cell in compared})
    checks = sorted({cell.check for cell in compared})
    ranked = by_accuracy([cell for cell in summary.cells if cell.check == CONTROL and cell.ratio > 0])
    rows = [method for method in ranked if any(cell.method == method for cell in compared)]
    with mpl.rc_context(style("checks")):
        down, across = math.ceil(len(ratios) / 2), min(2, len(ratios))
        size = WIDTH, 0.6 + down * (1 + 0.2 * len(rows))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, ratio in zip(grid.flat, ratios, strict=False):
            _heat(axes, {(c.method, c.check): c for c in compared if c.ratio == ratio}, rows, checks)
            axes.set_title(percent(ratio))
        for axes in grid.flat[len(ratios) :]:
            axes.set_visible(False)
        shades = next(axes.collections[0] for axes in grid.flat if axes.collections)
        figure.colorbar(shades, ax=grid, location="bottom", shrink=0.5, aspect=40, extend="both",
                        label="points of test accuracy")  # fmt: skip
        return figure


def _heat(axes: Axes, cells: dict[tuple[str, str], Cell], rows: Sequence[str], checks: Sequence[str]) -> None:
    """Draws the checks of all methods at one ratio; what was not measured stays empty."""
    names = [check_name(check) for check in checks]
    values = pd.DataFrame(np.nan, [method_name(method) for method in rows], names)
    signs = values.astype(object)
    for (method, check), cell in cells.items():
        place = rows.index(method), checks.index(check)
        values.iloc[place], signs.iloc[place] = cell.compared.difference.mean, verdict(cell)
    seaborn.heatmap(values, vmin=-WORST, vmax=WORST, center=0, cmap="RdBu", annot=signs, fmt="",
                    annot_kws={"size": 6}, cbar=False, ax=axes)  # fmt: skip
    axes.grid(visible=False)
    axes.set_xticks(axes.get_xticks(), names, rotation=35, ha="right")
