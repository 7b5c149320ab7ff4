"""Draws what many sparsities have in common as lines over sparsity: the density of layers, and mask overlap."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator

from reports.layers import layer_names
from reports.plots import INK, MARKERS, PALETTE, Look, axis_of_sparsity, below
from reports.statistics import Cell


def layers(axes: Axes, cells: Sequence[Cell]) -> None:
    """The share of its weights that each layer keeps at each sparsity, a line a layer; cells of one check."""
    names = layer_names(cells)
    for place, (name, shown) in enumerate(names.items()):
        kept = [100 * (cell.layers.get(name, math.nan) or math.nan) for cell in cells]  # none left: the line ends
        axes.plot(_left(cells), kept, color=PALETTE[place % len(PALETTE)], marker=MARKERS[place % len(MARKERS)],
                  markersize=3, label=shown if len(names) <= len(PALETTE) else None)  # fmt: skip
    axes.set(yscale="log", ylabel="weights kept, %")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis_of_sparsity(axes, sorted({cell.ratio for cell in cells}))
    if len(names) <= len(PALETTE):
        below(axes)


def overlap(axes: Axes, cells: Sequence[Cell], look: Look) -> None:
    """The share of its kept weights that the unperturbed mask keeps too, a line a check; dotted by chance."""
    for check in dict.fromkeys(cell.check for cell in cells):
        of_check = [cell for cell in cells if cell.check == check]
        axes.plot(_left(of_check), [100 * cell.overlap for cell in of_check], color=look.colours[check],
                  marker=look.markers[check], markersize=3.5, label=check)  # fmt: skip
        axes.plot(_left(of_check), [100 * cell.expected_overlap for cell in of_check], color=look.colours[check],
                  linestyle=":", linewidth=1)  # fmt: skip
    axes.plot([], [], color=INK, linestyle=":", linewidth=1, label="by chance")
    axes.set(ylabel="kept weights shared with none, %", ylim=(-4, 104))
    axis_of_sparsity(axes, sorted({cell.ratio for cell in cells}))
    below(axes)


def _left(cells: Sequence[Cell]) -> list[float]:
    return [100 * (1 - cell.ratio) for cell in cells]
