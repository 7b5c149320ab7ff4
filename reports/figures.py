"""Chooses the pictures of a report: one narrow panel each, which a phone stacks and a wide screen sets side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes

from reports import alt_texts, forest, over_moments, over_sparsity, plots, settling_drawn, steps
from reports.canvas import Drawing, Picture, Section, file_names, svg
from reports.decomposition import Decomposition, decompositions, sentence
from reports.records import CONTROL
from reports.references import DENSE
from reports.statistics import Cell, Summary
from reports.text import say
from reports.wording import FOLDED, method_name, percent

FEW = 2  # printed numbers of a method
PANELS = 24  # of one kind; more would make the page heavier than anyone looks at


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
    sections += [_moments(summary, look), _settled(summary)]
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
    names = file_names([_label(kind, cells, summary) for cells in drawn])
    pictures = tuple(_picture(kind, name, cells, look, summary) for name, cells in zip(names, drawn, strict=True))
    omitted = len(groups) - len(pictures)
    notes = [say(f"picture.{kind}_note")]
    if any(_is_cut(kind, cells, summary) for cells in drawn):
        notes.append(say("picture.cut_paper" if kind == "paper" else "picture.cut"))
    if omitted:
        notes.append(say("picture.omitted", count=omitted))
    return Section(kind, say(f"picture.{kind}"), " ".join(notes), pictures)


def _is_cut(kind: str, cells: Sequence[Cell], summary: Summary) -> bool:
    """Whether a bar is not drawn to its end."""
    if kind == "paper":
        return plots.cut_beside_paper(cells)
    return kind == "accuracy" and plots.cut(cells, _dense(cells[0], summary))


def _dense(cell: Cell, summary: Summary) -> float:
    """The mean accuracy of the dense network in the setting of a cell, in percent; NaN where it was not trained."""
    return next((one.accuracy.mean for one in summary.select(setting=cell.setting, method=DENSE)), math.nan)


@dataclass(frozen=True)
class _Panel:
    """A picture that is not one of cells alone: what it is called and how it is drawn, before it is."""

    label: str
    title: str
    alt: str
    height: float
    paint: Callable[[Axes], None]


def _of_panels(kind: str, panels: Sequence[_Panel], note: str) -> Section:
    drawn = panels[:PANELS]
    pictures = []
    for panel, name in zip(drawn, file_names([panel.label for panel in drawn]), strict=True):
        drawing = Drawing(panel.paint, panel.height, panel.title)
        pictures.append(Picture(kind, name, panel.title, panel.alt, svg(drawing, name), drawing))
    omitted = len(panels) - len(drawn)
    note += " " + say("picture.omitted", count=omitted) if omitted else ""
    return Section(kind, say(f"picture.{kind}"), note, tuple(pictures))


def _forests(summary: Summary) -> Section:
    """A panel for each setting: the differences that are judged, at the sparsity that matters."""
    drawn = list(forest.forests(summary))[:PANELS]
    several = len(summary.names("setting")) > 1
    panels = [
        _Panel(
            f"forest-{'-'.join(one.cells[0].setting) if several else 'checks'}",
            forest.title(one, several),
            forest.alt(one),
            forest.height(one),
            partial(forest.paint, forest=one, summary=summary),
        )
        for one in drawn
    ]
    return _of_panels("forest", panels, forest.note(drawn, summary) if drawn else "")


def _decomposed(summary: Summary) -> Section:
    """A panel for each method, its ratios below each other."""
    groups: dict[tuple[object, ...], list[Decomposition]] = {}
    for one in decompositions(summary):
        groups.setdefault((one.setting, one.method), []).append(one)
    panels = []
    for group in groups.values():
        head = method_name(group[0].method) + _where(group[0].setting, summary)
        told, paint = " ".join(map(sentence, group)), partial(steps.paint, group=group)
        panels.append(_Panel(f"decomposition-{head}", head, told, steps.height(group), paint))
    return _of_panels("decomposition", panels, say("picture.decomposition_note"))


def _settled(summary: Summary) -> Section:
    """A panel for each cell of early-bird tickets without a check."""
    panels = []
    for cell in summary.cells:
        if (one := cell.settling) is not None and cell.check == CONTROL:
            head, label = f"{method_name(cell.method)} at {percent(cell.ratio)}", _label("settling", [cell], summary)
            paint = partial(settling_drawn.paint, one=one)
            alt = settling_drawn.alt(head, one)
            panels.append(_Panel(f"{label}-{cell.ratio}", head, alt, settling_drawn.HEIGHT, paint))
    return _of_panels("settling", panels, say("picture.settling_note"))


def _moments(summary: Summary, look: plots.Look) -> Section:
    """A panel for each method, ratio and option that names several moments of dense training."""
    panels = []
    for one in over_moments.over_moments(summary):
        head = one.title + _where(one.setting, summary)
        label = "-".join(["moments", one.option, head, str(one.ratio)])
        panels.append(_Panel(label, head, one.alt(head), one.height, partial(one.paint, look=look)))
    return _of_panels("moments", panels, say("picture.moments_note"))


def _where(setting: Sequence[str], summary: Summary) -> str:
    return f" · {', '.join(setting)}" if len(summary.names("setting")) > 1 else ""


def _label(kind: str, cells: list[Cell], summary: Summary) -> str:
    """What tells a picture from all others of a report."""
    first = cells[0]
    mixed = len({cell.method for cell in cells}) > 1
    setting = first.setting if len(summary.names("setting")) > 1 else ()
    ratio = [str(first.ratio)] if kind == "layers" and not _many(cells) else []
    return "-".join([kind, first.model if mixed else first.method, *setting, *ratio])


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
    return Picture(kind, name, title + where, alt_texts.alt(kind, title + where, cells), svg(drawing, name), drawing)


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
