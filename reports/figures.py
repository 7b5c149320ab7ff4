"""The pictures of a report: one narrow SVG a panel, which a phone stacks and a wide screen sets side by side.

Text stays text and takes the page's colour, so that every picture is legible on a light and on a dark ground.
"""

import hashlib
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports import alts, arrangement, forest, over_sparsity, plots, settling_drawn, steps
from reports.decomposition import Decomposition, decompositions, sentence
from reports.records import CONTROL
from reports.references import DENSE
from reports.statistics import Cell, Summary
from reports.text import say
from reports.wording import FOLDED, method_name, percent

WIDTH = 3.7  # inches: the width of a phone at which 8 pt are still read
FEW = 2  # printed numbers of a method
LONGEST_NAME = 80  # characters of a picture's file name
PANELS = 24  # of one kind; more would make the page heavier than anyone looks at

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


def draw(summary: Summary) -> list[Section]:
    """Accuracy against sparsity, ours against the paper's, kept weights per layer, mask overlap; a panel a method.

    A kind for which the records hold nothing is left out.
    """
    look = plots.Look(summary.names("check"))
    groups = {
        "accuracy": _curves(summary),
        "paper": _with_paper(summary),
        "layers": _by_ratio(summary, lambda cell: bool(cell.layers) and cell.ratio > 0),
        "overlap": _by_method(summary, lambda cell: not math.isnan(cell.overlap)),
    }
    sections = [_section(kind, panels, look, summary) for kind, panels in groups.items()]
    sections[:0] = [_forests(summary), _decomposed(summary)]
    sections.append(_settled(summary))
    return [section for section in sections if section.pictures]


def _by_method(summary: Summary, wanted: Callable[[Cell], bool]) -> list[list[Cell]]:
    groups: dict[tuple, list[Cell]] = {}
    for cell in filter(wanted, summary.cells):
        groups.setdefault((cell.setting, cell.method), []).append(cell)
    return list(groups.values())


def _curves(summary: Summary) -> list[list[Cell]]:
    """A panel for each method, but for a single cell that stands beside the paper's number anyway."""
    panels = _by_method(summary, lambda cell: cell.accuracy.n > 0 and cell.ratio > 0)
    return [cells for cells in panels if len(cells) > 1 or cells[0].paper is None]


def _with_paper(summary: Summary) -> list[list[Cell]]:
    """A panel for each method; methods of which the paper prints a number or two share the panel of their setting.

    Nothing is drawn of what was not run beside what was.
    """
    groups: dict[tuple, list[Cell]] = {}
    for cells in _by_method(summary, lambda cell: cell.paper is not None):
        few = len(cells) <= FEW
        groups.setdefault((cells[0].setting, "" if few else cells[0].method), []).extend(cells)
    measured = [cells for cells in groups.values() if any(cell.accuracy.n for cell in cells)]
    return measured or list(groups.values())


def _by_ratio(summary: Summary, wanted: Callable[[Cell], bool]) -> list[list[Cell]]:
    """A panel for each method with many ratios, its unperturbed tickets as lines; of others one at the highest ratio
    first, then the lower ratios as far as there is room."""
    methods = _by_method(summary, wanted)
    over_ratios = [[cell for cell in cells if cell.check == CONTROL] or cells for cells in methods if _many(cells)]
    by_method = [{ratio: [cell for cell in cells if cell.ratio == ratio] for ratio in {cell.ratio for cell in cells}}
                 for cells in methods if not _many(cells)]  # fmt: skip
    ranked = [(rank, ratio, cells) for groups in by_method
              for rank, (ratio, cells) in enumerate(sorted(groups.items(), reverse=True))]  # fmt: skip
    return [*over_ratios, *(cells for _, _, cells in sorted(ranked, key=lambda entry: entry[0]))]


def _many(cells: Sequence[Cell]) -> bool:
    """Whether these are so many sparsities that they are read as a line."""
    return len({cell.ratio for cell in cells}) > FOLDED


def _section(kind: str, groups: list[list[Cell]], look: plots.Look, summary: Summary) -> Section:
    drawn = groups[:PANELS]
    names = _file_names([_label(kind, cells, summary) for cells in drawn])
    pictures = tuple(_picture(kind, name, cells, look, summary) for name, cells in zip(names, drawn, strict=True))
    omitted = len(groups) - len(pictures)
    notes = [say(f"picture.{kind}_note")]
    notes += [say("picture.cut")] if any(_is_cut(kind, cells, summary) for cells in drawn) else []
    notes += [say("picture.omitted", count=omitted)] if omitted else []
    return Section(kind, say(f"picture.{kind}"), " ".join(notes), pictures)


def _is_cut(kind: str, cells: Sequence[Cell], summary: Summary) -> bool:
    """Whether a bar is not drawn to its end."""
    if kind == "paper":
        return plots.cut_beside_paper(cells)
    return kind == "accuracy" and plots.cut(cells, _dense(cells[0], summary))


def _dense(cell: Cell, summary: Summary) -> float:
    """The mean accuracy of the dense network in the setting of a cell, in percent; NaN where it was not trained."""
    return next((one.accuracy.mean for one in summary.select(setting=cell.setting, method=DENSE)), math.nan)


def _forests(summary: Summary) -> Section:
    """A panel for each setting: the differences that are judged, at the sparsity that matters."""
    drawn = list(forest.forests(summary))[:PANELS]
    several = len(summary.names("setting")) > 1
    heads = [forest.title(one, several) for one in drawn]
    names = _file_names([f"forest-{'-'.join(one.cells[0].setting) if several else 'checks'}" for one in drawn])
    pictures = []
    for one, head, name in zip(drawn, heads, names, strict=True):
        drawing = Drawing(partial(forest.paint, forest=one, summary=summary), forest.height(one), head)
        pictures.append(Picture("forest", name, head, forest.alt(one), _svg(drawing, name), drawing))
    return Section("forest", say("picture.forest"), forest.note(drawn, summary) if drawn else "", tuple(pictures))


def _decomposed(summary: Summary) -> Section:
    """A panel for each method, its ratios below each other."""
    groups: dict[tuple[object, ...], list[Decomposition]] = {}
    for one in decompositions(summary):
        groups.setdefault((one.setting, one.method), []).append(one)
    several = len(summary.names("setting")) > 1
    drawn = list(groups.values())[:PANELS]
    heads = [method_name(group[0].method) + (f" · {', '.join(group[0].setting)}" if several else "") for group in drawn]
    drawings = [Drawing(partial(steps.paint, group=group), steps.height(group), head) for head, group in
                zip(heads, drawn, strict=True)]  # fmt: skip
    names = _file_names([f"decomposition-{head}" for head in heads])
    pictures = tuple(
        Picture("decomposition", name, drawing.title, " ".join(map(sentence, group)), _svg(drawing, name), drawing)
        for name, drawing, group in zip(names, drawings, drawn, strict=True)
    )
    omitted = len(groups) - len(pictures)
    note = say("picture.decomposition_note") + (" " + say("picture.omitted", count=omitted) if omitted else "")
    return Section("decomposition", say("picture.decomposition"), note, pictures)


def _settled(summary: Summary) -> Section:
    """A panel for each cell of early-bird tickets without a check."""
    drawn = [(cell, cell.settling) for cell in summary.cells if cell.settling is not None and cell.check == CONTROL]
    heads = [f"{method_name(cell.method)} at {percent(cell.ratio)}" for cell, _ in drawn]
    names = _file_names([_label("settling", [cell], summary) + f"-{cell.ratio}" for cell, _ in drawn])
    pictures = []
    for head, name, (_, one) in list(zip(heads, names, drawn, strict=True))[:PANELS]:
        drawing = Drawing(partial(settling_drawn.paint, one=one), settling_drawn.HEIGHT, head)
        alt = settling_drawn.alt(head, one)
        pictures.append(Picture("settling", name, head, alt, _svg(drawing, name), drawing))
    return Section("settling", say("picture.settling"), say("picture.settling_note"), tuple(pictures))


def _label(kind: str, cells: list[Cell], summary: Summary) -> str:
    """What tells a picture from all others of a report."""
    first = cells[0]
    mixed = len({cell.method for cell in cells}) > 1
    setting = first.setting if len(summary.names("setting")) > 1 else ()
    ratio = [str(first.ratio)] if kind == "layers" and not _many(cells) else []
    return "-".join([kind, first.model if mixed else first.method, *setting, *ratio])


def _file_names(labels: Sequence[str]) -> list[str]:
    """A name for each label that is fit for a file, short and different from the others: where signs or the end of a
    label are lost and that matters, with a hash of the label."""
    slugs = [_slug(label) for label in labels]
    names = []
    for label, slug in zip(labels, slugs, strict=True):
        if len(slug) > LONGEST_NAME or slugs.count(slug) > 1:
            slug = f"{slug[:LONGEST_NAME].rstrip('-')}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
        names.append(slug)
    return names


def _picture(kind: str, name: str, cells: list[Cell], look: plots.Look, summary: Summary) -> Picture:
    first = cells[0]
    several = len(summary.names("setting")) > 1
    mixed = len({cell.method for cell in cells}) > 1
    many = _many(cells)
    at = f" at {percent(first.ratio)}" if kind == "layers" and not many else ""
    title = f"{first.dataset}, {first.model}" if mixed else method_name(first.method) + at
    where = f" · {first.dataset}, {first.model}" if several and not mixed else ""
    dense = _dense(first, summary)
    paint: dict[str, Callable[[Axes], None]] = {
        "accuracy": lambda axes: plots.accuracy(axes, cells, look, dense),
        "paper": lambda axes: plots.paper(axes, cells, look),
        "layers": lambda axes: over_sparsity.layers(axes, cells) if many else plots.layers(axes, cells, look),
        "overlap": lambda axes: (over_sparsity.overlap if many else plots.overlap)(axes, cells, look),
    }
    drawing = Drawing(paint[kind], _height(kind, cells), title + where)
    return Picture(kind, name, title + where, alts.alt(kind, title + where, cells), _svg(drawing, name), drawing)


def _height(kind: str, cells: Sequence[Cell]) -> float:
    """Inches: as much as the rows, the legend and the layers' names below the axis take."""
    legend = 0.17 * math.ceil(len(cells) / 2)
    if _many(cells) and kind in ("layers", "overlap"):
        count = len(cells[0].layers) + 1 if kind == "layers" else len({cell.check for cell in cells}) + 2
        return 2.6 + 0.17 * math.ceil(min(count, 9) / 2)
    if kind == "layers":
        return 2.6 + legend + 0.06 * min(20, max(len(name) for cell in cells for name in cell.layers))
    if kind == "accuracy" and len({cell.ratio for cell in cells}) > 1:
        return 2.6 + 0.17 * math.ceil((len({cell.check for cell in cells}) + 1) / 2)
    return 1.3 + 0.3 * len(cells)


def _svg(drawing: Drawing, name: str) -> str:
    with mpl.rc_context(style(name)):
        canvas = FigureCanvasSVG(drawing.draw())
        file = io.StringIO()
        canvas.print_svg(file, metadata={"Date": None})  # `savefig` draws twice
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
