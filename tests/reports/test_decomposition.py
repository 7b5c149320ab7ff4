"""What a method is worth beyond random pruning, level by level: shares that add up, and intervals that hold."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import reports
from reports import figures
from reports.analysis import Analysis
from reports.decomposition import Decomposition, decompositions, sentence, share_out, step_text
from reports.designs import FIXED
from reports.statistics import summarise
from sanity.config.decomposition import LEVELS
from tests.reports.conftest import record
from tests.reports.levels import ACCURACIES, family, noisy


def only(rows: list[dict]) -> Decomposition:
    (one,) = decompositions(summarise(pd.DataFrame(rows)))
    return one


def test_the_levels_share_out_the_gap() -> None:
    one = only(family(noisy(5)))
    assert one.base == pytest.approx(80, abs=0.5)
    assert [step.keeps for step in one.steps] == ["layer counts", "unit degrees", "edges", "signs", "values"]
    assert [step.share.value for step in one.steps] == pytest.approx([0.6, 0.3, 0.0, -0.1, 0.2], abs=0.06)
    assert all(step.share.low < step.share.value < step.share.high for step in one.steps)


@given(st.lists(st.lists(st.integers(0, 100), min_size=3, max_size=3), min_size=6, max_size=6))
def test_points_sum_to_the_gap_and_shares_to_one(accuracies: list[list[int]]) -> None:
    gap, levels = share_out(np.array(accuracies, dtype=float), FIXED)
    assert sum(added.value for added, _ in levels) == pytest.approx(gap.value, abs=1e-9)
    if gap.low > 0:
        assert sum(share.value for _, share in levels) == pytest.approx(1)
    else:
        assert all(math.isnan(share.value) for _, share in levels)


def test_an_interval_holds_the_shares_that_a_paired_t_test_does_not_exclude() -> None:
    """Fieller's interval is the inversion of the test: at its ends p is 5 %."""
    runs = noisy(4)
    step = only(family(runs)).steps[0]
    part, gap = runs[1] - runs[0], runs[-1] - runs[0]
    for end in (step.share.low, step.share.high):
        assert stats.ttest_1samp(part - end * gap, 0).pvalue == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("seeds", [3, 6])
def test_intervals_hold_the_true_share_as_often_as_they_say(seeds: int) -> None:
    generator = np.random.default_rng(seeds)
    hits = []
    for _ in range(400):
        gap, levels = share_out(np.array(ACCURACIES)[:, None] + generator.normal(size=(6, seeds)), FIXED)
        if gap.low > 0:
            hits.append(levels[0][1].low <= 0.6 <= levels[0][1].high)
    assert len(hits) > 300
    assert np.mean(hits) > 0.92  # at 95 %: less happens once in 100


def test_a_gap_that_is_not_clear_is_not_shared_out(tmp_path: Path) -> None:
    flat = 90 + 0.5 * np.random.default_rng(2).normal(size=(6, 4))
    frame = pd.DataFrame(family(flat))
    one = only(family(flat))
    assert not one.clear
    assert "points instead" in sentence(one)
    text = reports.Report(frame).write(tmp_path, formats=("md",))["md"].read_text(encoding="utf-8")
    assert "gap not clearly above zero" in text


def test_one_seed_has_points_and_no_interval() -> None:
    one = only(family(noisy(1)))
    assert not one.clear
    assert math.isnan(one.gap.low)
    assert one.steps[0].points.value == pytest.approx(6, abs=0.6)


def test_pairing_uses_the_seeds_that_all_levels_have() -> None:
    rows = [row for row in family(noisy(4)) if not (row["check"] == "signed_reinit" and row["seed"] == 1)]
    assert only(rows).seeds == (0, 2, 3)


def test_random_pruning_of_the_same_variant_is_the_base() -> None:
    rows = family(noisy(3), "snip@frankle2021")
    rows += [record("random@frankle2021", "none", 0.98, seed, 70.0) for seed in range(3)]
    assert only(rows).base == 70.0


def test_an_incomplete_family_is_not_decomposed(make_grid: Callable[..., pd.DataFrame]) -> None:
    assert not decompositions(summarise(make_grid()))
    assert not decompositions(summarise(pd.DataFrame([row for row in family(noisy(3)) if row["check"] != "reinit"])))


def test_table_picture_and_csv_show_every_method_and_ratio(tmp_path: Path) -> None:
    frame = pd.DataFrame([*family(noisy(3)), *family(noisy(3), ratio=0.9)])
    written = reports.Report(frame).write(tmp_path, formats=("md", "html", "csv", "latex"))
    with (tmp_path / "decomposition.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(LEVELS)
    assert sum(float(row["share"]) for row in rows if row["ratio"] == "0.9") == pytest.approx(1)
    (section,) = [one for one in figures.draw(summarise(frame)) if one.kind == "decomposition"]
    assert len(section.pictures) == 1
    assert "SNIP at 98 %: its" in section.pictures[0].alt
    for name in ("md", "html"):
        text = written[name].read_text(encoding="utf-8")
        assert "unit degrees" in text
        assert step_text(decompositions(summarise(frame))[0].steps[0]) in text.replace("\\[", "[").replace("\\]", "]")


@pytest.mark.parametrize("design", ["fixed", "sequential"])  # whose intervals have no end where nothing is decided
def test_steps_of_every_ratio_are_seen_beside_their_text(design: str) -> None:
    frame = pd.DataFrame([row for ratio in (0.9, 0.95, 0.98) for row in family(noisy(3), ratio=ratio)])
    (section,) = [one for one in figures.draw(summarise(frame, Analysis(design=design))) if one.kind == "decomposition"]
    figure = section.pictures[0].drawing.draw()
    figure.canvas.draw()
    width = figure.get_window_extent().width
    panels = figure.axes[0].child_axes
    assert len(panels) == 3
    for panel in panels:
        place = panel.get_window_extent()
        assert place.width > width / 3, "the text leaves no room"
        assert place.height > 40
        assert all(text.get_window_extent().x1 < width for text in panel.texts), "text is cut"
