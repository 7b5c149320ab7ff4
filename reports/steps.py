"""Draws a decomposition: a bar that is stacked from random pruning to the method, a step a level."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports.bounded import interval
from reports.decomposition import Decomposition, step_text
from reports.plots import INK, PALETTE, below
from reports.wording import percent

HEIGHT = 1.15  # inches of a ratio
LEFT, RIGHT = 0.12, 0.68  # where the bars stand in the width of a picture; the rest is text
MOST = 100.0  # percent: no accuracy is higher, whatever an interval says
ROOM = 0.05  # beside the outermost bar or interval, of the range that they span


def height(group: Sequence[Decomposition]) -> float:
    """The height of a picture in inches, legend included."""
    return 0.9 + HEIGHT * len(group)


def paint(axes: Axes, group: Sequence[Decomposition]) -> None:
    """Draws the decompositions of one method, a panel for each ratio with a scale of its own.

    A step begins where the level before ends, so that one that loses accuracy goes back and hides nothing.
    """
    for step, colour in zip(group[0].steps, PALETTE, strict=False):
        axes.barh(0, 0, color=colour, label=step.keeps)  # for the legend
    axes.set_xlabel("test accuracy, %")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    share = 1 / len(group)
    for place, one in enumerate(group):
        bottom = 1 - (place + 1) * share
        _panel(axes.inset_axes((LEFT, bottom + 0.24 * share, RIGHT - LEFT, 0.74 * share)), one)
    below(axes, columns=3)


def _panel(axes: Axes, one: Decomposition) -> None:
    """Draws the steps of one ratio; each step's share stands at the right."""
    before, reached = one.base, [one.base]
    for place, (step, colour) in enumerate(zip(one.steps, PALETTE, strict=False)):
        ends = before + step.points.low, before + step.points.high
        axes.barh(place, step.points.value, 1, left=before, color=colour)
        interval(axes, ends, place, (0, MOST), color=INK, linewidth=1)
        beside = axes.get_yaxis_transform()  # x as a share of the width, y in data
        text = axes.annotate(step_text(step), (1.04, place), xycoords=beside, va="center", fontsize=6.5)
        text.set_in_layout(False)  # else the bars give way to it until nothing is left of them
        before = step.accuracy
        reached += [before, *(min(end, MOST) for end in ends if math.isfinite(end))]
    axes.axvline(one.base, color=INK, linestyle=":", linewidth=1.2)
    axes.axvline(before, color=INK, linewidth=1.2)
    low, high = min(reached), max(reached)
    room = ROOM * (high - low) or ROOM
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_yticks([(len(one.steps) - 1) / 2], [f"{percent(round(one.ratio, 4))}\nn = {len(one.seeds)}"])
    axes.set_ylim(len(one.steps) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
