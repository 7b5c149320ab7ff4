"""Draws accuracy over the moment of dense training at which the mask is drawn, or to which the weights are rewound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from reports.labels import Part, join, parse
from reports.plots import Look, below, level, limits, lines
from reports.records import CONTROL
from reports.statistics import Cell, Summary
from reports.text import say
from reports.wording import check_name, method_name, percent, points

LISTED = 8  # moments that are read out
WIDE = 20  # the last moment over the first from which on the axis is logarithmic
TICKS = 7

Placed = list[tuple[float, Cell]]
"""Cells with their moments, in epochs, ascending."""


@dataclass(frozen=True)
class OverMoments:
    """The cells of one method at one ratio that differ in the moment that `option` names.

    method: without that option. lines: by check, without it. control: the accuracy at the method's own moment, where
    a check sets another.
    """

    setting: tuple[str, str, str]
    method: str
    ratio: float
    option: str
    lines: dict[str, Placed]
    control: float
    dense: float

    @property
    def title(self) -> str:
        return f"{method_name(self.method)} at {percent(self.ratio)}"

    @property
    def height(self) -> float:
        """Inches."""
        return 2.6 + 0.17 * math.ceil((len(self.lines) + 2) / 2)

    def paint(self, axes: Axes, look: Look) -> None:
        """Draws a line for each check; the method's own moment dashed, the dense network dotted."""
        own = look if set(self.lines) <= set(look.order) else Look(list(self.lines))
        means = [cell.accuracy.mean for placed in self.lines.values() for _, cell in placed]
        means += [mean for mean in (self.control, self.dense) if not math.isnan(mean)]
        lines(axes, self.lines, own, means)
        level(axes, self.control, say("picture.own_moment"), "--")
        level(axes, self.dense, "dense", ":")
        _axis(axes, sorted({place for placed in self.lines.values() for place, _ in placed}), self.option)
        limits(axes, means)
        below(axes)

    def alt(self, title: str) -> str:
        """The accuracies of the first line, the unperturbed tickets where they have one."""
        check, placed = min(self.lines.items(), key=lambda line: line[0] != CONTROL)
        shown = placed if len(placed) <= LISTED else [*placed[: LISTED - 1], placed[-1]]
        finding = ", ".join(
            say("alt.at_moment", accuracy=points(cell.accuracy.mean), moment=_name(place), n=cell.accuracy.n)
            for place, cell in shown
        )
        return say("alt.moments", title=title, check=check_name(check), option=self.option, finding=finding)


def over_moments(summary: Summary) -> list[OverMoments]:
    """Returns one for each method, ratio and option that has several moments, highest ratios first."""
    groups: dict[tuple[tuple[str, str, str], str, float, str], dict[str, Placed]] = {}
    for cell in summary.cells:
        for option, place in cell.moments.items() if cell.runs else ():
            method, check = _without(cell, option)
            group = groups.setdefault((cell.setting, method, cell.ratio, option), {})
            group.setdefault(check, []).append((place, cell))
    panels = []
    for (setting, method, ratio, option), by_check in groups.items():
        several = {
            check: sorted(placed, key=lambda entry: entry[0])
            for check, placed in by_check.items()
            if len({place for place, _ in placed}) > 1
        }
        if several:
            by_check_set = "." in option
            own = summary.select(setting=setting, method=method, check=CONTROL, ratio=ratio) if by_check_set else []
            dense = summary.select(setting=setting, method="dense")
            means = (next((cell.accuracy.mean for cell in cells), math.nan) for cells in (own, dense))
            panels.append(OverMoments(setting, method, ratio, option, several, *means))
    return sorted(panels, key=lambda panel: -panel.ratio)


def _without(cell: Cell, option: str) -> tuple[str, str]:
    """The labels of method and check without the option, `scored_at` of the method or `at_epoch.epoch` of a check."""
    name, _, own = option.rpartition(".")
    if not name:
        return _dropped(cell.method, parse(cell.method)[0].name, own), cell.check
    return cell.method, _dropped(cell.check, name, own)


def _dropped(label: str, name: str, option: str) -> str:
    parts = [
        Part(part.name, part.variant, tuple(pair for pair in part.options if part.name != name or pair[0] != option))
        for part in parse(label)
    ]
    return join(parts)


def _axis(axes: Axes, places: Sequence[float], option: str) -> None:
    """Makes the x axis one of epochs: logarithmic where they lie far apart, with the initialisation at its left end."""
    positive = [place for place in places if place > 0]
    if positive[-1] / positive[0] > WIDE:
        axes.set_xscale("symlog", linthresh=positive[0]) if places[0] == 0 else axes.set_xscale("log")
    shown = places if len(places) <= TICKS else places[:: math.ceil(len(places) / (TICKS - 1))]
    axes.set_xticks(list(shown), [_name(place) for place in shown])
    axes.minorticks_off()
    axes.set_xlabel(say("picture.moment", option=option))


def _name(place: float) -> str:
    return f"{place:.3g}" if place else "init"
