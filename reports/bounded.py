"""Draws intervals no further than accuracies reach, with an arrowhead where they are wider.

The interval of a t-test does not know that an accuracy ends at 0 and 100 %: three seeds far apart give one of more than
100 points. Numbers are printed as they were computed, since the verdict rests on them; a picture that followed them
would be mostly empty.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

ARROW = 4.0  # points
Ends = tuple[float, float]
"""The lower and the upper end of an interval, or of what can be."""


def possible(control: float) -> Ends:
    """The lowest and the highest difference to a mean accuracy of `control` percent; ± 100 where it is not known."""
    return (-100.0, 100.0) if math.isnan(control) else (-control, 100.0 - control)


def drawn_ends(ends: Ends, bounds: Ends) -> Ends:
    """Where the line for an interval ends, of which nothing can lie outside `bounds`."""
    (low, high), (least, most) = ends, bounds
    return max(low, min(least, high)), min(high, max(most, low))


def interval(axes: Axes, ends: Ends, place: float, bounds: Ends, **style: Any) -> None:
    """Draws an interval at height `place` as a line within `bounds`; `style` as for `Axes.plot`."""
    axes.plot(drawn_ends(ends, bounds), [place, place], **style)
    arrowheads(axes, ends, place, bounds, style["color"])


def bars(
    axes: Axes, places: Sequence[float], intervals: Sequence[Ends], bounds: Ends, color: str, **style: Any
) -> None:
    """Draws upright intervals, each at its place, within `bounds`; `style` as for `Axes.vlines`."""
    drawn = np.array([drawn_ends(ends, bounds) for ends in intervals])
    axes.vlines(places, drawn[:, 0], drawn[:, 1], color=color, **style)
    for place, ends in zip(places, intervals, strict=True):
        arrowheads(axes, ends, place, bounds, color, upright=True)


def arrowheads(axes: Axes, ends: Ends, place: float, bounds: Ends, color: str, upright: bool = False) -> None:
    """Marks the ends of an interval that are not drawn, since they lie outside `bounds`."""
    left, right = drawn_ends(ends, bounds)
    for end, marker, is_cut in ((left, "<v"[upright], left > ends[0]), (right, ">^"[upright], right < ends[1])):
        if is_cut:
            x, y = (place, end) if upright else (end, place)
            axes.plot(x, y, marker, color=color, markersize=ARROW, markeredgewidth=0, clip_on=False)
