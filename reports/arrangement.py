"""Arranges a picture: the title above, the legend below, and the axes in the room that these and the labels leave.

Matplotlib's constrained layout does so too, but measures every label four times; here each is measured once.
"""

import io
from functools import cache
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox

DPI = 72  # at which a renderer for SVG measures text
ROUGHLY = (0.2, 0.3, 0.75, 0.6)
"""Where the axes are while their labels are measured: left, bottom, width and height as shares of the figure."""
PAD = 3  # points


class Renderer(RendererSVG):
    """A renderer that measures each text once a process: pictures share most of their labels."""

    def get_text_width_height_descent(
        self, s: str, prop: FontProperties, ismath: bool | Literal["TeX"]
    ) -> tuple[float, float, float]:
        return _size(s, prop, ismath)


@cache
def _size(text: str, font: FontProperties, formula: bool | Literal["TeX"]) -> tuple[float, float, float]:
    """The width, height and descent of a text in points."""
    return text_to_path.get_text_width_height_descent(text, font, formula)


def arrange(figure: Figure, axes: Axes) -> None:
    """Places the axes of a figure of 72 dpi whose texts are its title and whose legend stands at its foot."""
    whole, box = figure.bbox, axes.bbox
    renderer = Renderer(whole.width, whole.height, io.StringIO())
    parts = [part.get_tightbbox(renderer) for part in (axes.xaxis, axes.yaxis, *axes.texts, *axes.child_axes)]
    taken = Bbox.union([box, *(part for part in parts if part is not None)])
    title = max((text.get_window_extent(renderer).height for text in figure.texts), default=0.0)
    legend = max((legend.get_window_extent(renderer).height for legend in figure.legends), default=0.0)
    name = axes.xaxis.label.get_window_extent(renderer)
    over = max(0.0, name.x1 - max(box.x1, taken.x0))  # of a name of the axis that is longer than the axis
    left, right = box.x0 - taken.x0 + PAD, whole.width - PAD - max(0.0, taken.x1 - box.x1 - over)
    low, high = legend + box.y0 - taken.y0 + 2 * PAD, whole.height - title - (taken.y1 - box.y1) - 3 * PAD
    axes.set_position((left / whole.width, low / whole.height, (right - left) / whole.width,
                       (high - low) / whole.height))  # fmt: skip
    if name.width > right - left:
        axes.xaxis.label.set(ha="right", x=1)
