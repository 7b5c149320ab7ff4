"""Turns a drawing into the picture of a page or into a file: one narrow SVG a panel, whose text stays text.

Text takes the page's colour, so that every picture is legible on a light and on a dark ground.
"""

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import arrangement, plots

WIDTH = 3.7  # inches: the width of a phone at which 8 pt are still read
LONGEST_NAME = 80  # characters of a picture's file name

STYLE = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 8, "axes.titlesize": 9, "axes.labelsize": 8,
    "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "legend.fontsize": 7.5, "lines.linewidth": 1.3,
    "lines.markersize": 4.5, "text.color": plots.INK, "axes.labelcolor": plots.INK, "axes.edgecolor": plots.INK,
    "xtick.color": plots.INK, "ytick.color": plots.INK, "grid.color": plots.INK, "grid.alpha": plots.GRID_ALPHA,
    "axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none", "legend.labelcolor": plots.INK,
    "axes.formatter.useoffset": False, "axes.grid": True, "axes.axisbelow": True, "axes.spines.top": False,
    "axes.spines.right": False, "xtick.bottom": False, "ytick.left": False, "lines.solid_capstyle": "round",
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "patch.edgecolor": "white", "patch.force_edgecolor": True,
    "text.parse_math": False,  # a "$" in a name is a dollar
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """One panel. `kind` is the section that it stands in, `name` is unique and fit for a file."""

    kind: str
    name: str
    title: str
    alt: str
    svg: str
    drawing: "Drawing" = field(compare=False, repr=False)


@dataclass(frozen=True)
class Drawing:
    """What a picture is drawn from, for formats other than the page's."""

    paint: Callable[[Axes], None]
    height: float
    title: str

    def draw(self) -> Figure:
        """The figure, without a canvas."""
        figure = Figure(figsize=(WIDTH, self.height), dpi=arrangement.DPI)
        axes = figure.add_axes(arrangement.ROUGHLY)
        self.paint(axes)
        figure.text(
            0.01,
            1 - arrangement.PAD / arrangement.DPI / self.height,
            self.title,
            va="top",
            fontsize=9,
            fontweight="bold",
        )
        arrangement.arrange(figure, axes)
        return figure


def style(name: str) -> dict[Any, Any]:
    """The settings of matplotlib under which a picture is drawn, so that its file has the same bytes every time."""
    return STYLE | {"svg.hashsalt": name}


@dataclass(frozen=True)
class Section:
    """All panels of one kind; `note` says how to read them, and how many more there would have been."""

    kind: str
    title: str
    note: str
    pictures: tuple[Picture, ...]


def file_names(labels: Sequence[str]) -> list[str]:
    """A name for each label that is fit for a file, short and different from the others: where signs or the end of a
    label are lost and that matters, with a hash of the label."""
    slugs = [_slug(label) for label in labels]
    names = []
    for label, slug in zip(labels, slugs, strict=True):
        if len(slug) > LONGEST_NAME or slugs.count(slug) > 1:
            slug = f"{slug[:LONGEST_NAME].rstrip('-')}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
        names.append(slug)
    return names


def svg(drawing: Drawing, name: str) -> str:
    with mpl.rc_context(style(name)):
        figure, file = drawing.draw(), io.StringIO()
        renderer = arrangement.Renderer(figure.bbox.width, figure.bbox.height, file, metadata={"Date": None})
        figure.draw(renderer)
        renderer.finalize()
    return _clean(file.getvalue())


def _clean(svg: str) -> str:
    """The bare <svg> element: no prologue, no metadata, no ids that nothing refers to, the page's colour for ink."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", svg)
    svg = re.sub(r"(<svg[^>]*?) width=\"[^\"]*\"", r"\1", svg, count=1)
    svg = re.sub(r"(<svg[^>]*?) height=\"[^\"]*\"", r"\1", svg, count=1)
    return re.sub(r"\n\s*", "\n", svg.replace(plots.INK, "currentColor")).strip()


def standalone(picture: Picture) -> str:
    """The picture as a file of its own, which follows the reader's colour scheme."""
    style = "<style>svg{color:#33383f}@media(prefers-color-scheme:dark){svg{color:#d5d9de}}</style>"
    opened = picture.svg.index(">") + 1
    size = f' width="{WIDTH * 120:.0f}" role="img" aria-label="{_attribute(picture.alt)}">'
    return f"{picture.svg[: opened - 1]}{size}{style}{picture.svg[opened:]}\n"


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
