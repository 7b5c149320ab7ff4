"""Verdicts: the interval that is shown is the one that decided, and what allows no verdict says so."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import inference
from reports.comparisons import Comparison, Mean, chance_level, decided, in_two_groups
from reports.designs import FIXED, SEQUENTIAL, Design
from reports.sentences import outlook, sentence
from reports.statistics import Summary, summarise

MARGIN, ALPHA = 0.5, 0.05
SAMPLES = st.lists(st.floats(-3, 3), min_size=2, max_size=9).filter(lambda values: float(np.std(values)) > 1e-3)


def undecided(values: list[float], design: Design) -> Comparison:
    difference = Mean.of(pd.Series(values))
    numbers = difference.mean, difference.std, difference.n
    equal = float(inference.p_equivalent(*numbers, MARGIN, design))
    return Comparison(difference, "undecided", float(inference.p_different(*numbers, design)), math.nan, equal)


@pytest.mark.parametrize("design", [FIXED, SEQUENTIAL])
@given(claim=st.lists(SAMPLES, min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_the_interval_that_is_shown_is_the_one_that_decided(design: Design, claim: list[list[float]]) -> None:
    for comparison in decided([undecided(values, design) for values in claim], MARGIN, ALPHA, design):
        low, high = comparison.low, comparison.high
        if comparison.verdict == "equivalent":
            assert -MARGIN < low <= high < MARGIN
            assert comparison.excluded < MARGIN
        else:
            assert (low <= 0 <= high) == (comparison.verdict == "undecided")


def test_what_is_equivalent_in_a_wide_claim_is_so_alone() -> None:
    near, far = [0.1, -0.1, 0.2, 0.0], [5.0, -5.0, 4.0, 1.0]
    alone, *_ = decided([undecided(near, FIXED)], MARGIN, ALPHA)
    among, *_ = decided([undecided(values, FIXED) for values in (near, far, far, far)], MARGIN, ALPHA)
    assert (alone.verdict, alone.low, alone.high) == (among.verdict, among.low, among.high)


def runs(make: Callable[..., dict], control: list[float], check: list[float], **values: object) -> Summary:
    both = {"none": control, "reinit": check}
    return summarise(pd.DataFrame([
        make("snip", name, 0.9, seed, accuracy, **values)
        for name, accuracies in both.items() for seed, accuracy in enumerate(accuracies)
    ]))  # fmt: skip


def compared(summary: Summary) -> Comparison:
    (cell,) = summary.select(check="reinit")
    assert cell.comparison is not None
    return cell.comparison


@pytest.mark.parametrize(
    ("control", "values", "obstacle"),
    [
        ([34.0, 33.0, 35.5], {"classes": 3}, "chance"),
        ([11.35, 11.35, 11.35], {"classes": 10}, "chance"),  # always the same digit
        ([50.0, 60.0, 40.0], {"effective_density": 0.0}, "dead"),
        ([10.0, 11.0, 12.0], {"status": "diverged"}, "diverged"),
        ([90.0, 90.5, 10.0], {"classes": 10}, ""),
        ([5.0, 5.2, 5.1], {"classes": 200}, ""),
        ([56.0, 57.0, 55.0], {"classes": 2}, ""),
        ([34.0, 33.0, 35.5], {}, ""),  # how many classes there are is not known
    ],
)
def test_nothing_is_tested_where_the_control_learns_nothing(
    make_record: Callable[..., dict], control: list[float], values: dict, obstacle: str
) -> None:
    summary = runs(make_record, control, [accuracy + 0.1 * (-1) ** seed for seed, accuracy in enumerate(control)],
                   **values)  # fmt: skip
    comparison = compared(summary)
    assert comparison.obstacle == obstacle
    assert (comparison.verdict == "not testable") == bool(obstacle)
    assert math.isnan(comparison.p_different) == bool(obstacle)
    if obstacle:
        (cell,) = summary.select(check="reinit")
        assert outlook(cell, summary) == {"chance": "at chance", "dead": "no live path"}.get(obstacle, "all diverged")


def test_a_ticket_that_the_check_destroys_is_different(make_record: Callable[..., dict]) -> None:
    assert compared(runs(make_record, [90.0, 90.5, 91.0], [10.0, 9.5, 10.2], classes=10)).verdict == "different"


def test_better_than_chance_depends_on_the_classes() -> None:
    assert [round(chance_level(classes), 2) for classes in (2, 3, 10, 100, 200)] == [52.5, 36.67, 14.5, 2.0, 1.0]
    assert math.isnan(chance_level(math.nan))


def test_differences_in_two_groups_are_listed_seed_by_seed(make_record: Callable[..., dict]) -> None:
    summary = runs(make_record, [90.0, 90.0, 90.0], [88.0, 87.5, 40.0])
    (cell,) = summary.select(check="reinit")
    text = sentence([cell], summary)
    assert text.endswith(
        "two groups far apart, so mean and interval describe neither: \N{MINUS SIGN}2.00 (seed 0), "
        "\N{MINUS SIGN}2.50 (seed 1), \N{MINUS SIGN}50.00 (seed 2)."
    )
    assert not compared(runs(make_record, [90.0, 90.0, 90.0], [88.0, 82.5, 75.0])).groups


def test_noise_is_seldom_taken_for_two_groups() -> None:
    rng = np.random.default_rng(0)
    for n in (3, 5, 20):
        assert np.mean([in_two_groups(row, 5.0) for row in rng.normal(0, 2, (2000, n))]) < 0.02


def test_two_seeds_and_no_spread_are_honest(make_record: Callable[..., dict]) -> None:
    two = compared(runs(make_record, [90.0, 90.0], [89.0, 88.0]))
    assert (two.verdict, two.difference.n) == ("undecided", 2)
    assert two.low == pytest.approx(-1.5 - 12.7062 * 0.5, abs=1e-3)  # t(0.975, 1) standard errors
    equal = compared(runs(make_record, [90.0, 90.0, 90.0], [90.0, 90.0, 90.0]))
    assert (equal.verdict, math.isnan(equal.low)) == ("undecided", True)
