"""Intervals are drawn no further than accuracies reach, and marked where they are wider; numbers stay as computed."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from reports import forest, plots
from reports.bounded import drawn_ends, interval, possible
from reports.statistics import Summary, summarise
from reports.wording import with_interval

POINTS = st.floats(-300, 300)


@given(POINTS, POINTS, st.floats(0, 100))
def test_a_line_ends_within_the_interval_and_within_what_can_be(one: float, other: float, control: float) -> None:
    low, high = sorted((one, other))
    least, most = possible(control)
    left, right = drawn_ends(low, high, least, most)
    assert low <= left <= right <= high
    if low <= most and high >= least:  # the interval holds something that can be
        assert (left, right) == (max(low, least), min(high, most))


def test_an_end_that_is_cut_off_bears_an_arrowhead() -> None:
    for low, high, markers in ((-5, 2, "-"), (-5, 30, "->"), (-130, 2, "-<"), (-130, 30, "-<>")):
        axes = Figure().add_subplot()
        interval(axes, low, high, 0, *possible(97.0), color="k")
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


def test_a_mean_beside_the_papers_ends_at_100_percent(make_record: Callable[..., dict]) -> None:
    paper = {"paper_mean": 99.0, "paper_metric": "last", "paper_source": "table 1"}
    rows = [make_record("snip", "none", 0.9, seed, 98.8 + 0.8 * seed, **paper) for seed in range(2)]
    summary = summarise(pd.DataFrame(rows))
    axes = Figure().add_subplot()
    plots.paper(axes, summary.cells, plots.Look(["none"]))
    ends = [end for bars in axes.collections for path in bars.get_paths() for end in np.asarray(path.vertices)[:, 0]]
    assert max(ends) == 100
    assert [line.get_marker() for line in axes.lines].count(">") == 1
