"""What each picture shows: one function a kind, drawn on given axes from the cells of one method in one setting."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator

from reports.bounded import arrowheads, bars, drawn_ends, interval
from reports.labels import parse
from reports.layers import layer_names
from reports.noise_floor import noise_floors
from reports.records import CONTROL
from reports.statistics import Cell
from reports.wording import method_name, percent

INK = "#7f7f7e"  # stands for the page's own text colour: canvas.py replaces it
GRID_ALPHA = 0.25
EVERY = (0.0, 100.0)  # percent: the lowest and the highest accuracy
WIDE = 25  # points between the means of one panel from which on differences of a point can no longer be seen
TICKS = [10, 30, 50, 70, 80, 90, 95, 97, 98, 99, 99.5, 99.8, 99.9]
# Mid-tones: each has a contrast of at least 3 to a white and to a near-black page. Marker and dash differ as well.
PALETTE = ["#2b83c6", "#d8690b", "#1f9d6b", "#c4559b", "#8a72d4", "#a67c1a", "#d6455a", "#3c97a3", "#7d8a2e"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "p"]
DASHES = [(), (4, 1.5), (1, 1), (3, 1, 1, 1), (5, 1), (2, 1), (1, 2), (6, 1, 1, 1), (3, 3), (4, 1, 1, 1, 1, 1)]


class Look:
    """A colour, a marker and a dash for every check, the same in all pictures of a report; the control is ink."""

    def __init__(self, checks: Sequence[str]) -> None:
        others = [check for check in checks if check != CONTROL]
        self.order = [CONTROL, *others]
        self.colours = {CONTROL: INK} | {c: PALETTE[i % len(PALETTE)] for i, c in enumerate(others)}
        self.markers = {check: MARKERS[i % len(MARKERS)] for i, check in enumerate(self.order)}
        self.dashes = {check: DASHES[i % len(DASHES)] for i, check in enumerate(self.order)}

    def offset(self, check: str) -> float:
        """A factor on a logarithmic axis that keeps the error bars of different checks from hiding each other."""
        return 1.025 ** (self.order.index(check) % 7 - 2)

    def line(self, check: str) -> dict:
        """The keyword arguments of matplotlib for the line of a check."""
        pattern = self.dashes[check]
        return {"color": self.colours[check], "marker": self.markers[check], "markeredgecolor": "none",
                "markeredgewidth": 0.75, "linestyle": (0, pattern) if pattern else "-"}  # fmt: skip


def accuracy(axes: Axes, cells: Sequence[Cell], look: Look, dense: float) -> None:
    """Accuracy against sparsity, a line a check with bars of one standard deviation; with a single ratio, every run of
    each check, and their mean."""
    ratios = sorted({cell.ratio for cell in cells})
    by_check = {check: [cell for cell in cells if cell.check == check and cell.runs] for check in look.order}
    present = {check: run for check, run in by_check.items() if run}
    if len(ratios) == 1:
        _strips(axes, present, look)
        axes.set(xlabel=f"test accuracy, % at {percent(ratios[0])} removed", ylabel="")
        return
    left = {check: [(100 * (1 - cell.ratio), cell) for cell in run] for check, run in present.items()}
    means = [cell.accuracy.mean for cell in cells] + ([] if math.isnan(dense) else [dense])
    lines(axes, left, look, means)
    axis_of_sparsity(axes, ratios)
    level(axes, dense, "dense", ":")
    limits(axes, means)
    below(axes)


def lines(axes: Axes, present: Mapping[str, Sequence[tuple[float, Cell]]], look: Look, means: Sequence[float]) -> None:
    """A line for each check through the means of its cells, each at its place, with bars of one standard deviation."""
    has_hollow = False
    for check, placed in present.items():
        points = sorted((place * look.offset(check), *_mean_and_spread(cell.runs)) for place, cell in placed)
        left, heights, spreads = (np.array(values) for values in zip(*points, strict=True))
        alone = np.isnan(spreads)
        line = look.line(check)
        axes.plot(left, heights, label=check, markevery=np.flatnonzero(~alone).tolist(), **line)
        _hollow(axes, left[alone], heights[alone], line, named=not has_hollow)
        has_hollow |= bool(alone.any())
        ends = [*zip(heights - spreads, heights + spreads, strict=True)]
        bars(axes, left.tolist(), ends, drawable(means), color=look.colours[check])
    axes.set_ylabel("test accuracy, %")


def level(axes: Axes, accuracy: float, label: str, style: str) -> None:
    """An accuracy that is the same along the axis, if there is one."""
    if not math.isnan(accuracy):
        axes.axhline(accuracy, color=INK, linewidth=0.8, linestyle=style, label=label)


def _strips(axes: Axes, present: Mapping[str, Sequence[Cell]], look: Look) -> None:
    """A row a check: its runs as dots, their mean as a diamond with a bar of one standard deviation."""
    for place, (check, cells) in enumerate(present.items()):
        runs = [value for cell in cells for value in cell.runs]
        mean, spread = _mean_and_spread(runs)
        colour = look.colours[check]
        axes.plot(runs, [place] * len(runs), "o", color=colour, alpha=0.5, markersize=3, markeredgewidth=0)
        interval(axes, (mean - spread, mean + spread), place, EVERY, color=colour, linewidth=1.2)
        axes.plot(mean, place, "D", color=colour, markersize=5)
    axes.set_yticks(range(len(present)), list(present))
    axes.set_ylim(len(present) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def _mean_and_spread(runs: Sequence[float]) -> tuple[float, float]:
    """The mean and the standard deviation, which is NaN for a single run."""
    return float(np.mean(runs)), float(np.std(runs, ddof=1)) if len(runs) > 1 else math.nan


def _hollow(axes: Axes, left: np.ndarray, heights: np.ndarray, line: Mapping[str, Any], named: bool) -> None:
    """Draws single runs, of which no spread is known, as hollow points; `named`: the legend says what they are."""
    if len(left):
        style = {"color": line["color"], "marker": line["marker"], "linestyle": "none", "fillstyle": "none"}
        axes.plot(left, heights, label="hollow: one run" if named else None, **style)


def axis_of_sparsity(axes: Axes, ratios: Sequence[float]) -> None:
    """Makes the x axis, on which weights left are drawn in percent, one of sparsity: logarithmic, rising."""
    axes.set(xscale="log", xlabel="sparsity (weights removed)")
    axes.invert_xaxis()
    shown = ratios if len(ratios) < 7 else ratios[:: math.ceil(len(ratios) / 6)]
    axes.set_xticks([100 * (1 - ratio) for ratio in shown], [percent(round(ratio, 4)) for ratio in shown])
    axes.minorticks_off()


def limits(axes: Axes, means: Sequence[float]) -> None:
    """Where a collapsed curve would press the others together, an axis in the logarithm of the error."""
    if _is_even(means):
        axes.set_ylim(top=min(axes.get_ylim()[1], 100))
        return
    axes.set_yscale("function", functions=(lambda y: -np.log(np.maximum(100 - y, 1e-3)), lambda z: 100 - np.exp(-z)))
    bottom, top = drawable(means)
    axes.set_ylim(bottom, top)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in TICKS if bottom <= tick <= top]))
    axes.set_ylabel("test accuracy, % (log of the error)")


def cut(cells: Sequence[Cell], dense: float) -> bool:
    """Whether `accuracy` draws an arrowhead for any of the cells."""
    means = [cell.accuracy.mean for cell in cells if cell.runs] + ([] if math.isnan(dense) else [dense])
    least, most = drawable(means) if len({cell.ratio for cell in cells}) > 1 else EVERY
    spreads = [_mean_and_spread(cell.runs) for cell in cells if cell.runs]
    return any(mean - spread < least or mean + spread > most for mean, spread in spreads)


def cut_beside_paper(cells: Sequence[Cell]) -> bool:
    """Whether `paper` draws an arrowhead for any of the cells."""
    shown = [cell.paper for cell in cells if cell.paper]
    bars = [(mean, half) for one in shown for mean, half in ((one.ours.mean, one.ours.half), (one.mean, one.std))]
    return any(mean - half < 0 or mean + half > 100 for mean, half in bars)


def _is_even(means: Sequence[float]) -> bool:
    """Whether the axis for these means is one of accuracy, not of the logarithm of the error."""
    return max(means) - min(means) <= WIDE or max(means) >= 100


def drawable(means: Sequence[float]) -> tuple[float, float]:
    """The accuracies between which a bar beside these means is drawn: all that there are, or those of the axis in the
    logarithm of the error, which has no place for 100 %."""
    if _is_even(means):
        return EVERY
    low, high = 100 - min(means), 100 - max(means)
    reach = (low / high) ** 0.06
    return max(0.0, 100 - low * reach), 100 - high / reach


def layers(axes: Axes, cells: Sequence[Cell], look: Look) -> None:
    """The share of its weights that each layer keeps, a line a check; layers without any at the foot."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.layers))
    positive = [share for cell in cells for share in cell.layers.values() if share > 0]
    floor = min(positive, default=1.0) / 3
    for check in (check for check in look.order if any(cell.check == check for cell in cells)):
        line = {names.index(name): 100 * max(share, floor) for cell in cells if cell.check == check
                for name, share in cell.layers.items()}  # fmt: skip
        axes.plot(*zip(*sorted(line.items()), strict=True), label=check, **look.line(check))
    axes.set(yscale="log", xlabel="layer, from input to output", ylabel="weights kept, %")
    if min(share for cell in cells for share in cell.layers.values()) == 0:
        axes.axhline(100 * floor, color=INK, linewidth=0.8, linestyle=":", label="no weight left")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.5, high * 1.5)
    every = math.ceil(len(names) / 24)
    axes.set_xticks(range(0, len(names), every), [*layer_names(cells).values()][::every], rotation=90)
    below(axes)


def overlap(axes: Axes, cells: Sequence[Cell], look: Look) -> None:
    """How many kept weights the unperturbed mask keeps too (filled), by chance (hollow), and under `resample` (|)."""
    for place, cell in enumerate(cells):
        colour = look.colours[cell.check]
        measured, chance = 100 * cell.overlap, 100 * cell.expected_overlap
        axes.plot([chance, measured], [place, place], color=colour, linewidth=1.2)
        axes.plot(measured, place, look.markers[cell.check], color=colour, label="measured" if not place else None)
        axes.plot(chance, place, "o", color=colour, fillstyle="none", label="by chance" if not place else None)
    of = noise_floors(cells)
    floors = {place: 100 * of(cell) for place, cell in enumerate(cells) if not math.isnan(of(cell))}
    if floors:
        axes.plot(
            [*floors.values()], [*floors], "|", color=INK, markersize=9, label="under another draw of the examples"
        )
    _rows(axes, cells)
    axes.set(xlim=(-4, 104), xlabel="kept weights shared with none, %")
    below(axes)


def paper(axes: Axes, cells: Sequence[Cell], look: Look) -> None:
    """Our mean with its 95 % interval (filled) above the paper's with its standard deviation (hollow square)."""
    for place, cell in enumerate(cells):
        if cell.paper is None:
            continue
        colour, theirs, ours = look.colours[cell.check], cell.paper, cell.paper.ours
        _bar(axes, ours.mean, ours.half, place - 0.16, color=colour, fmt="o", label="" if place else "ours, 95 %")
        _bar(axes, theirs.mean, theirs.std, place + 0.16, color=colour, fmt="s", label="" if place else "printed, std",
             fillstyle="none")  # fmt: skip
    _rows(axes, cells)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set(xlabel="test accuracy, %")
    below(axes)


def _bar(axes: Axes, mean: float, half: float, place: float, color: str, **style: Any) -> None:
    """Draws mean ± half, in percent, as a lying bar that ends where accuracies do."""
    spread = float(np.nan_to_num(half))
    ends = mean - spread, mean + spread
    left, right = drawn_ends(ends, EVERY)
    axes.errorbar(mean, place, xerr=[[mean - left], [right - mean]], capsize=2, linewidth=1.2, markersize=5,
                  color=color, **style)  # fmt: skip
    arrowheads(axes, ends, place, EVERY, color)


def _rows(axes: Axes, cells: Sequence[Cell]) -> None:
    axes.set_yticks(range(len(cells)), labels(cells))
    axes.set_ylim(len(cells) - 0.5, -0.5)


def labels(cells: Sequence[Cell]) -> list[str]:
    """What tells the cells apart: check and ratio; of several methods their names, or only their options where these
    are all that differs."""
    methods = list(dict.fromkeys(cell.method for cell in cells))
    if len(methods) == 1:
        return [f"{_wrapped(cell.check)}, {percent(cell.ratio)}" for cell in cells]
    named = {method: parse(method)[0] for method in methods}
    alike = len({(part.name, part.variant) for part in named.values()}) == 1
    short = {method: part.settings if alike else method_name(method) for method, part in named.items()}
    one_check = len({cell.check for cell in cells}) == 1
    return [
        f"{short[cell.method]}, {percent(cell.ratio)}" + ("" if one_check else f"\n{_wrapped(cell.check)}")
        for cell in cells
    ]


def _wrapped(check: str) -> str:
    return "\n+".join(part.label for part in parse(check))


def below(axes: Axes, columns: int = 2) -> None:
    """Sets the legend below the axes."""
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(handles, labels, loc="lower center", ncols=columns if len(labels) > 1 else 1, frameon=False,
                       borderaxespad=0.4)  # fmt: skip
