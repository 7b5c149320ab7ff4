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


def possible(control: float) -> tuple[float, float]:
    """The lowest and the highest difference to a mean accuracy of `control` percent; ± 100 where it is not known."""
    return (-100.0, 100.0) if math.isnan(control) else (-control, 100.0 - control)


def drawn_ends(low: float, high: float, least: float, most: float) -> tuple[float, float]:
    """The ends of the line for the interval [low, high], of which nothing can lie below `least` or above `most`."""
    return max(low, min(least, high)), min(high, max(most, low))


def interval(axes: Axes, low: float, high: float, place: float, least: float, most: float, **style: Any) -> None:
    """Draws [low, high] at height `place` as a line between `least` and `most`; `style` as for `Axes.plot`."""
    left, right = drawn_ends(low, high, least, most)
    axes.plot([left, right], [place, place], **style)
    arrowheads(axes, low, high, place, least, most, style["color"])


def bars(
    axes: Axes,
    places: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    least: float,
    most: float,
    color: str,
    **style: Any,
) -> None:
    """Draws upright intervals, each at its place, between `least` and `most`; `style` as for `Axes.vlines`."""
    ends = np.array([drawn_ends(*ends, least, most) for ends in intervals])
    axes.vlines(places, ends[:, 0], ends[:, 1], color=color, **style)
    for place, (low, high) in zip(places, intervals, strict=True):
        arrowheads(axes, low, high, place, least, most, color, upright=True)


def arrowheads(
    axes: Axes, low: float, high: float, place: float, least: float, most: float, colour: str, upright: bool = False
) -> None:
    """Marks the ends of [low, high] that are not drawn, since they lie below `least` or above `most`."""
    left, right = drawn_ends(low, high, least, most)
    for end, marker, is_cut in ((left, "<v"[upright], left > low), (right, ">^"[upright], right < high)):
        if is_cut:
            x, y = (place, end) if upright else (end, place)
            axes.plot(x, y, marker, color=colour, markersize=ARROW, markeredgewidth=0, clip_on=False)
