"""Verdicts: the interval that is shown is the one that decided, and what allows no verdict says so."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports import inference
from reports.comparisons import WIDER, Comparison, Mean, chance_level, in_two_groups
from reports.designs import FIXED, SEQUENTIAL, Design
from reports.sentences import outlook, sentence
from reports.statistics import Summary, summarise
from reports.verdicts import decided
from reports.wording import with_interval

MARGIN, ALPHA = 0.5, 0.05
SAMPLES = st.lists(st.floats(-3, 3), min_size=2, max_size=9).filter(lambda values: float(np.std(values)) > 1e-3)


def undecided(values: list[float], design: Design) -> Comparison:
    difference = Mean.of(pd.Series(values))
    numbers = difference.mean, difference.std, difference.n
    equal, small = (float(inference.p_equivalent(*numbers, bound, design)) for bound in (MARGIN, WIDER * MARGIN))
    different = float(inference.p_different(*numbers, design))
    seeds = tuple(enumerate(values))
    return Comparison(difference, "undecided", different, p_equivalent=equal, p_small=small, seeds=seeds)


@pytest.mark.parametrize("design", [FIXED, SEQUENTIAL])
@given(claim=st.lists(SAMPLES, min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_the_interval_that_is_shown_is_the_one_that_decided(design: Design, claim: list[list[float]]) -> None:
    for comparison in decided([undecided(values, design) for values in claim], MARGIN, ALPHA, design):
        low, high = comparison.low, comparison.high
        if comparison.verdict == "equivalent":
            assert -MARGIN < low <= high < MARGIN
            assert comparison.excluded < MARGIN
        elif comparison.verdict == "small or none":
            assert -WIDER * MARGIN < low <= high < WIDER * MARGIN
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


def test_a_ticket_that_trains_only_with_the_check_is_different(make_record: Callable[..., dict]) -> None:
    assert compared(runs(make_record, [10.0, 9.5, 10.2], [90.0, 90.5, 91.0], classes=10)).verdict == "different"


def claim(make: Callable[..., dict], moved: dict[float, list[float]], **values: object) -> list[Comparison]:
    """The comparisons of SNIP with one check that moves accuracy by so much at each ratio, a number a seed."""
    rows = []
    for ratio, by_seed in moved.items():
        for seed, by in enumerate(by_seed):
            accuracy = 95.0 + 0.1 * (seed % 3)
            rows.append(make("snip", "none", ratio, seed, accuracy, classes=10))
            rows.append(make("snip", "reinit", ratio, seed, accuracy + by, classes=10, **values))
    cells = summarise(pd.DataFrame(rows)).select(check="reinit")
    return [cell.comparison for cell in cells if cell.comparison]


def test_a_large_common_loss_is_likely_an_effect_however_wildly_it_varies(make_record: Callable[..., dict]) -> None:
    none = [0.2, -0.3, 0.1]
    moved = {0.5 + place / 50: none for place in range(10)} | {0.9: [-85.0, -67.0, -76.0], 0.95: [-2.0, -5.0, -50.0]}
    *_, first, second = claim(make_record, moved)
    assert (first.verdict, first.manner) == ("likely different", "")  # the t test, before Holm's correction over 12
    assert first.p_different < ALPHA < first.p_holm
    assert (second.verdict, second.manner) == ("likely different", "runs")
    assert second.p_different > ALPHA > second.p_apart
    assert with_interval(second) == "\N{MINUS SIGN}2.0, \N{MINUS SIGN}5.0, \N{MINUS SIGN}50.0"
    (alone,) = claim(make_record, {0.9: [-85.0, -67.0, -76.0]})
    assert alone.verdict == "different"


def test_wild_differences_of_both_signs_are_listed_not_averaged(make_record: Callable[..., dict]) -> None:
    (wild,) = claim(make_record, {0.9: [-20.0, 3.0, -9.0]})
    assert (wild.verdict, wild.manner) == ("undecided", "wide")
    (many,) = claim(make_record, {0.9: [-20.0, 3.0, -9.0, 4.0, -1.0, 2.0]})
    assert with_interval(many) == "\N{MINUS SIGN}20.0 to +4.0"


def test_within_twice_the_margin_an_effect_is_small_or_none(make_record: Callable[..., dict]) -> None:
    (small,) = claim(make_record, {0.9: [0.7, -0.7, 0.6, -0.5, 0.8, -0.8]})
    assert small.verdict == "small or none"
    assert MARGIN < small.excluded < WIDER * MARGIN
    assert small.open


def test_skewed_differences_are_not_called_equivalent(make_record: Callable[..., dict]) -> None:
    even = [0.1, -0.1, 0.05, -0.05, 0.15, -0.15, 0.0, 0.2, -0.2, 0.1]
    assert claim(make_record, {0.9: even})[0].verdict == "equivalent"
    (skewed,) = claim(make_record, {0.9: [*even, 0.9]})
    assert skewed.p_equivalent < ALPHA
    assert (skewed.verdict, skewed.manner) == ("small or none", "skewed")


def test_what_cannot_matter_by_construction_is_not_testable_unless_it_does(make_record: Callable[..., dict]) -> None:
    (noise,) = claim(make_record, {0.9: [0.1, -0.1, 0.0]}, predicted="null")
    assert (noise.verdict, noise.found, noise.obstacle) == ("not testable", "equivalent", "null")
    (permuted,) = claim(make_record, {0.9: [0.1, -0.1, 0.0]}, predicted="same function")
    assert (permuted.verdict, permuted.found, permuted.obstacle) == ("not testable", "equivalent", "function")
    (alarm,) = claim(make_record, {0.9: [-9.0, -9.1, -9.3]}, predicted="null")
    assert (alarm.verdict, alarm.found) == ("different", "different")
    (open_question,) = claim(make_record, {0.9: [0.1, -0.1, 0.0]}, predicted="open")
    assert open_question.verdict == "equivalent"


@given(shift=st.floats(-40, 0), other=SAMPLES)
@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_verdict_is_blind_to_the_level_of_accuracy_and_to_other_claims(
    make_record: Callable[..., dict], shift: float, other: list[float]
) -> None:
    check = [89.0, 90.9, 85.0, 90.4]
    plain = runs(make_record, [90.0, 91.0, 90.5, 90.2], check)
    lower = runs(make_record, [value + round(shift, 2) for value in (90.0, 91.0, 90.5, 90.2)],
                 [value + round(shift, 2) for value in check])  # fmt: skip
    assert compared(plain).verdict == compared(lower).verdict
    among = [make_record("grasp", name, 0.9, seed, 70 + (by if name == "reinit" else 0.0))
             for seed, by in enumerate(other) for name in ("none", "reinit")]  # fmt: skip
    rows = [make_record("snip", name, 0.9, seed, value)
            for name, values in (("none", [90.0, 91.0, 90.5, 90.2]), ("reinit", check))
            for seed, value in enumerate(values)]  # fmt: skip
    both = summarise(pd.DataFrame(rows + among)).select(method="snip", check="reinit")
    assert [cell.comparison for cell in both] == [compared(plain)]


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
    assert compared(summary).in_groups
    assert not compared(runs(make_record, [90.0, 90.0, 90.0], [88.0, 82.5, 75.0])).in_groups


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
