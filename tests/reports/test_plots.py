"""What a picture lets its reader see."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from reports import plots
from reports.statistics import summarise


def heights(frame: pd.DataFrame, *accuracies: float, dense: float = float("nan")) -> list[float]:
    """Where on the vertical axis accuracies of the only method's panel are drawn: 0 at its foot, 1 at its top."""
    cells = [cell for cell in summarise(frame).cells if cell.ratio > 0]
    axes = Figure(layout="constrained").subplots()
    plots.accuracy(axes, cells, plots.Look([cell.check for cell in cells]), dense)
    shown = [axes.transAxes.inverted().transform(axes.transData.transform((1, value)))[1] for value in accuracies]
    assert any(axes.get_ylim()[0] < tick < axes.get_ylim()[1] for tick in axes.get_yticks())
    return [float(height) for height in shown]


@pytest.fixture
def panel(make_record: Callable[..., dict]) -> Callable[[float, float], pd.DataFrame]:
    def build(best: float, worst: float) -> pd.DataFrame:
        means = {("none", 0.5): best, ("none", 0.9): best - 2, ("invert", 0.5): best - 1, ("invert", 0.9): worst}
        return pd.DataFrame(
            [make_record("snip", *key, seed, mean + seed / 10) for key, mean in means.items() for seed in range(3)]
        )

    return build


@pytest.mark.parametrize(("best", "worst"), [(98.0, 9.8), (92.0, 10.0), (99.5, 40.0)])
def test_a_collapsed_curve_leaves_the_others_apart(
    panel: Callable[[float, float], pd.DataFrame], best: float, worst: float
) -> None:
    low, middle, high = heights(panel(best, worst), worst, best - 2, best)
    assert 0 <= low < middle < high <= 1
    assert high - middle > 2 * 2 / (best - worst)  # at least twice what an even axis of this range gives them


def test_without_a_collapse_the_axis_is_even(panel: Callable[[float, float], pd.DataFrame]) -> None:
    a, b, c = heights(panel(98.0, 90.0), 91.0, 94.0, 97.0)
    assert b - a == pytest.approx(c - b)


@pytest.mark.parametrize("worst", [90.0, 10.0])
def test_the_dense_line_is_within_the_picture(panel: Callable[[float, float], pd.DataFrame], worst: float) -> None:
    (height,) = heights(panel(96.0, worst), 98.5, dense=98.5)
    assert 0 < height < 1


def test_a_single_run_is_hollow_since_its_spread_is_not_known(panel: Callable[[float, float], pd.DataFrame]) -> None:
    frame = panel(98.0, 90.0)
    for alone, points in ((frame["seed"] < 0, 0), ((frame["check"] == "invert") & (frame["seed"] > 0), 2)):
        cells = [cell for cell in summarise(frame[~alone]).cells if cell.ratio > 0]
        axes = Figure(layout="constrained").subplots()
        plots.accuracy(axes, cells, plots.Look([cell.check for cell in cells]), float("nan"))
        hollow = [line for line in axes.lines if line.get_fillstyle() == "none"]
        assert sum(np.size(line.get_xdata()) for line in hollow) == points
        assert [line.get_markevery() for line in axes.lines if line.get_label() == "invert"] == [[0, 1][points:]]
