"""Draws a reference set: accuracy of all methods by ratio, and a heat map of what each check costs each method."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.figures import style
from reports.plots import DASHES, INK, MARKERS, PALETTE, axis_of_sparsity
from reports.records import CONTROL
from reports.reference_sets import by_accuracy, verdict
from reports.references import DENSE
from reports.statistics import Summary
from reports.wording import check_name, method_name, percent

WIDTH = 7.5  # inches
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
    """Mean accuracy by ratio, a line a method with its 95 % interval; the dense network is a line across."""
    with mpl.rc_context(style("accuracy")):
        figure = Figure(figsize=(WIDTH, 4.5), layout="constrained")
        axes = figure.subplots()
        tickets = [cell for cell in summary.cells if cell.check == CONTROL and cell.ratio > 0]
        for place, method in enumerate(by_accuracy(tickets)):
            cells = sorted((cell for cell in tickets if cell.method == method), key=lambda cell: cell.ratio)
            at = np.array([100 * (1 - cell.ratio) for cell in cells])
            means = np.array([cell.accuracy.mean for cell in cells])
            halves = np.nan_to_num(np.array([cell.accuracy.half for cell in cells]))
            axes.errorbar(at, means, halves, color=PALETTE[place % len(PALETTE)], marker=MARKERS[place % len(MARKERS)],
                          linestyle=(0, DASHES[place % len(DASHES)] or (1, 0)), elinewidth=0.6,
                          label=method_name(method))  # fmt: skip
        for cell in summary.select(method=DENSE):
            axes.axhline(cell.accuracy.mean, color=INK, linewidth=0.8, label=method_name(DENSE))
        axis_of_sparsity(axes, sorted({cell.ratio for cell in tickets}))
        axes.set_ylabel("test accuracy, %")
        axes.set_ylim(0, 101)
        figure.legend(loc="outside right upper", frameon=False)
        return figure


def _checks(summary: Summary) -> Figure:
    """A row for each method, a column for each check and ratio: the difference in points, and the verdict's sign."""
    compared = [cell for cell in summary.cells if cell.comparison]
    columns = list(
        dict.fromkeys((cell.check, cell.ratio) for cell in sorted(compared, key=lambda cell: (cell.check, cell.ratio)))
    )
    rows = by_accuracy([cell for cell in summary.cells if cell.check == CONTROL and cell.ratio > 0])
    rows = [method for method in rows if any(cell.method == method for cell in compared)]
    labels = [f"{check_name(check)}, {percent(ratio)}" for check, ratio in columns]
    values = pd.DataFrame(np.nan, [method_name(method) for method in rows], labels)
    signs = values.astype(object)
    for cell in compared:
        place = rows.index(cell.method), columns.index((cell.check, cell.ratio))
        assert cell.comparison is not None  # by the selection
        values.iloc[place], signs.iloc[place] = cell.comparison.difference.mean, verdict(cell)
    with mpl.rc_context(style("checks")):
        figure = Figure(figsize=(WIDTH, 1.6 + 0.24 * len(rows)), layout="constrained")
        axes = figure.subplots()
        bar = {"label": "points of test accuracy", "extend": "both", "shrink": 0.7}
        seaborn.heatmap(values, vmin=-WORST, vmax=WORST, center=0, cmap="RdBu", annot=signs, fmt="",
                        annot_kws={"size": 6.5}, cbar_kws=bar, ax=axes)  # fmt: skip
        axes.grid(visible=False)
        axes.tick_params("x", rotation=35)
        axes.set_xticks(axes.get_xticks(), labels, ha="right")
        return figure
