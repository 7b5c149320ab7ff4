"""Draws how the masks of early-bird tickets settle over the epochs of dense training."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from reports.settling import Settling
from reports.text import counted, say

HEIGHT = 3.3  # inches


def paint(axes: Axes, one: Settling) -> None:
    """Draws the distance of every two epochs' masks, the ticket's own as the last row."""
    image: Any = axes.imshow(np.array(one.distances), cmap="viridis", vmin=0, interpolation="nearest")
    last = len(one.distances) - 1
    ticks = sorted({0, *range(4, last, max(5, last // 25 * 5)), last})
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, [str(tick + 1) for tick in ticks])
    axes.set_xlabel(say("picture.epoch"))
    axes.set_ylabel(say("picture.epoch"))
    axes.grid(visible=False)
    beside = axes.inset_axes((1.04, 0, 0.05, 1))  # moves with the axes
    axes.figure.colorbar(image, cax=beside, label=say("picture.distance", n=len(one.epochs)))


def alt(title: str, one: Settling) -> str:
    """When the tickets were drawn, and how far the last mask is from the one before."""
    first, last = min(one.epochs), max(one.epochs)
    when = str(first) if first == last else f"{first} to {last}"
    runs, step = counted(len(one.epochs), "run"), one.distances[-1][-2] if len(one.distances) > 1 else 0.0
    return say("alt.settling", title=title, epochs=when, runs=runs, emerged=one.emerged, step=f"{step:.3f}")
