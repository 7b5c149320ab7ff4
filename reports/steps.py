"""Draws a decomposition: a bar that is stacked from random pruning to the method, a step a level."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from reports.decomposition import Decomposition, step_text
from reports.plots import INK, PALETTE, below
from reports.wording import percent

THICK = 0.15  # of a step; the steps of a ratio and the gap to the next ratio take 1


def height(group: Sequence[Decomposition]) -> float:
    """The height of a picture in inches, legend included."""
    return 1.2 + 1.05 * len(group)


def paint(axes: Axes, group: Sequence[Decomposition]) -> None:
    """Draws the decompositions of one method, a block of steps for each ratio.

    A step begins where the level before ends, so that one that loses accuracy goes back and hides nothing.
    """
    for block, one in enumerate(group):
        before, right = one.base, _right(one)
        for place, (step, colour) in enumerate(zip(one.steps, PALETTE, strict=False)):
            y = block + (place - len(one.steps) / 2 + 0.5) * THICK
            label = step.keeps if block == 0 else None
            axes.barh(y, step.points.value, THICK, left=before, color=colour, label=label)
            axes.plot([before + step.points.low, before + step.points.high], [y, y], color=INK, linewidth=1)
            axes.annotate(step_text(step), (right, y), (4, 0), textcoords="offset points", va="center", fontsize=6.5)
            before = step.accuracy
        half = len(one.steps) / 2 * THICK + 0.06
        axes.vlines(one.base, block - half, block + half, color=INK, linestyle=":", linewidth=1.2)
        axes.vlines(before, block - half, block + half, color=INK, linewidth=1.2)
    axes.set_yticks(range(len(group)), [f"{percent(round(one.ratio, 4))}\nn = {len(one.seeds)}" for one in group])
    axes.set_ylim(len(group) - 0.5, -0.5)
    low, high = axes.get_xlim()
    axes.set_xlim(low - 0.03 * (high - low), high + 0.4 * (high - low))  # room for the text beside the steps
    axes.set_xticks([tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= min(high, 100)])
    axes.set_xlabel("test accuracy, %")
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    below(axes, columns=3)


def _right(one: Decomposition) -> float:
    """The accuracy up to which the steps of a ratio and their intervals reach."""
    ends = [step.accuracy - step.points.value + step.points.high for step in one.steps]
    return max([one.base, *(step.accuracy for step in one.steps), *(end for end in ends if not math.isnan(end))])
