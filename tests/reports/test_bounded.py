"""Intervals are drawn no further than accuracies reach, and marked where they are wider; numbers stay as computed."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from reports import figures, forest, plots, reference_pictures
from reports.bounded import drawn_ends, interval, possible
from reports.statistics import Summary, summarise
from reports.wording import with_interval

POINTS = st.floats(-300, 300)


@given(POINTS, POINTS, st.floats(0, 100))
def test_a_line_ends_within_the_interval_and_within_what_can_be(one: float, other: float, control: float) -> None:
    low, high = sorted((one, other))
    least, most = possible(control)
    left, right = drawn_ends((low, high), (least, most))
    assert low <= left <= right <= high
    if low <= most and high >= least:  # the interval holds something that can be
        assert (left, right) == (max(low, least), min(high, most))


def test_an_end_that_is_cut_off_bears_an_arrowhead() -> None:
    for low, high, markers in ((-5, 2, "-"), (-5, 30, "->"), (-130, 2, "-<"), (-130, 30, "-<>")):
        axes = Figure().add_subplot()
        interval(axes, (low, high), 0, possible(97.0), color="k")
        (line, *tips) = axes.lines
        assert "-" + "".join(str(tip.get_marker()) for tip in tips) == markers
        assert [*np.asarray(line.get_xdata())] == [max(low, -97), min(high, 3)]


def wide(make: Callable[..., dict]) -> Summary:
    """Three seeds that are 2 points apart, at 98.5 %: the interval reaches beyond the 1.5 points that are left."""
    rows = [make("snip", "none", 0.9, seed, 98.5) for seed in range(3)]
    rows += [make("snip", "reinit", 0.9, seed, accuracy) for seed, accuracy in enumerate((99.2, 98.0, 97.2))]
    rows += [make("dense", "none", 0.0, seed, 98.9) for seed in range(3)]
    rows += [make("random", "none", 0.9, seed, 60.0) for seed in range(3)]
    return summarise(pd.DataFrame(rows))


def test_the_forest_stays_within_what_can_be_says_so_and_shows_its_references(make_record: Callable[..., dict]) -> None:
    summary = wide(make_record)
    (one,) = forest.forests(summary)
    (comparison,) = (cell.comparison for cell in summary.cells if cell.comparison)
    assert comparison.high > 1.5
    assert f"{comparison.high:.2f}" in with_interval(comparison)  # the number is that which decided
    axes = Figure().add_subplot()
    forest.paint(axes, one, summary)
    drawn = [value for line in axes.lines for value in np.asarray(line.get_xdata()) if math.isfinite(value)]
    assert max(drawn) == 1.5
    assert axes.get_xscale() == "symlog"  # random pruning is 38 points lower
    assert "arrowhead" in forest.note([one], summary)
    narrow = summarise(pd.DataFrame([
        make_record("snip", check, 0.9, seed, 96.0 + 0.1 * seed * (check == "none"))
        for check in ("none", "reinit") for seed in range(3)
    ]))  # fmt: skip
    assert "arrowhead" not in forest.note(list(forest.forests(narrow)), narrow)


@pytest.mark.parametrize(("accuracies", "ratios", "tips"), [
    ((96.0, 96.1), (0.5, 0.9), ""), ((94.0, 99.6), (0.5, 0.9), "^^"), ((0.0, 9.0), (0.5, 0.9), "vv"),
    ((99.0, 99.6, 96.0), (0.5,), ">"), ((98.0, 99.0), (0.5,), ""),
])  # fmt: skip
def test_a_spread_ends_where_accuracies_do(
    make_record: Callable[..., dict], accuracies: tuple[float, ...], ratios: tuple[float, ...], tips: str
) -> None:
    rows = [make_record("snip", "none", ratio, *run) for ratio in ratios for run in enumerate(accuracies)]
    summary = summarise(pd.DataFrame(rows))
    axes = Figure().add_subplot()
    plots.accuracy(axes, summary.cells, plots.Look(["none"]), math.nan)
    assert "".join(str(line.get_marker()) for line in axes.lines if str(line.get_marker()) in "^v<>") == tips
    ends = [end for bars in axes.collections for path in bars.get_paths() for end in np.asarray(path.vertices)[:, 1]]
    assert all(0 <= end <= 100 for end in ends)
    (section,) = [one for one in figures.draw(summary) if one.kind == "accuracy"]
    assert ("arrowhead" in section.note) == bool(tips)


def test_what_goes_on_beyond_an_axis_of_the_error_is_marked(make_record: Callable[..., dict]) -> None:
    runs = {0.5: (96.0, 99.5), 0.9: (94.0, 94.5), 0.98: (10.0, 10.0)}
    rows = [make_record("snip", "none", ratio, *run) for ratio, means in runs.items() for run in enumerate(means)]
    summary = summarise(pd.DataFrame(rows))
    axes = Figure().add_subplot()
    plots.accuracy(axes, summary.cells, plots.Look(["none"]), math.nan)
    (tip,) = [line for line in axes.lines if line.get_marker() == "^"]
    assert [*np.asarray(tip.get_ydata())] == [pytest.approx(axes.get_ylim()[1])]


def test_an_interval_of_a_reference_set_ends_at_its_picture(make_record: Callable[..., dict]) -> None:
    rows = [make_record("snip", "none", ratio, *run) for ratio in (0.5, 0.9) for run in enumerate((97.0, 99.5))]
    drawn = reference_pictures.pictures("tiny", summarise(pd.DataFrame(rows)))["tiny_accuracy.svg"]
    flat = reference_pictures.pictures("tiny", summarise(pd.DataFrame(rows).assign(last_test_accuracy=98.0)))
    assert drawn.count("<use") > flat["tiny_accuracy.svg"].count("<use"), "arrowheads"


def test_a_printed_spread_ends_where_accuracies_do(make_record: Callable[..., dict]) -> None:
    paper = {"paper_mean": 99.0, "paper_std": 1.5, "paper_metric": "last", "paper_source": "table 1"}
    summary = summarise(pd.DataFrame([make_record("snip", "none", 0.9, seed, 98.0, **paper) for seed in range(2)]))
    axes = Figure().add_subplot()
    plots.paper(axes, summary.cells, plots.Look(["none"]))
    assert [line.get_marker() for line in axes.lines].count(">") == 1
    (section,) = [one for one in figures.draw(summary) if one.kind == "paper"]
    assert "arrowhead" in section.note


def test_a_mean_beside_the_papers_ends_at_100_percent(make_record: Callable[..., dict]) -> None:
    paper = {"paper_mean": 99.0, "paper_metric": "last", "paper_source": "table 1"}
    rows = [make_record("snip", "none", 0.9, seed, 98.8 + 0.8 * seed, **paper) for seed in range(2)]
    summary = summarise(pd.DataFrame(rows))
    axes = Figure().add_subplot()
    plots.paper(axes, summary.cells, plots.Look(["none"]))
    ends = [end for bars in axes.collections for path in bars.get_paths() for end in np.asarray(path.vertices)[:, 0]]
    assert max(ends) == 100
    assert [line.get_marker() for line in axes.lines].count(">") == 1
