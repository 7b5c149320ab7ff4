"""The verdicts' arithmetic: against scipy and statsmodels, against hand-computed numbers, and in simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from reports import inference

CONTROL = np.array([90.1, 90.5, 89.8, 90.3, 90.0])
CHECK = np.array([89.9, 90.4, 89.9, 89.8, 89.8])
DIFFERENCE = CHECK - CONTROL  # -0.2 -0.1 +0.1 -0.5 -0.2: mean -0.18, sum of squares about it 0.188, std 0.2168
NUMBERS = DIFFERENCE.mean(), DIFFERENCE.std(ddof=1), len(DIFFERENCE)


def test_the_numbers_are_those_computed_by_hand() -> None:
    assert NUMBERS[:2] == pytest.approx((-0.18, math.sqrt(0.188 / 4)))
    # t(0.975, 4) = 2.776445; 2.776445 * 0.216795 / sqrt(5) = 0.269186
    assert inference.half_width(*NUMBERS[1:]) == pytest.approx(0.269186, abs=1e-6)


def test_difference_is_scipys_paired_t_test() -> None:
    assert inference.p_different(*NUMBERS) == pytest.approx(stats.ttest_rel(CHECK, CONTROL).pvalue)


@pytest.mark.parametrize("margin", [0.1, 0.5, 2.0])
def test_equivalence_is_statsmodels_paired_tost(margin: float) -> None:
    assert inference.p_equivalent(*NUMBERS, margin) == pytest.approx(ttost_paired(CHECK, CONTROL, -margin, margin)[0])


def test_without_spread_or_with_one_pair_there_is_no_test() -> None:
    for mean, std, n in ((0.3, math.nan, 1), (0.3, 0.0, 5), (math.nan, math.nan, 0)):
        assert np.isnan(inference.half_width(std, n))
        assert np.isnan(inference.p_different(mean, std, n))
        assert np.isnan(inference.p_equivalent(mean, std, n, 0.5))
        assert math.isnan(inference.seeds_to_decide(mean, std, 0.5, 0.05))


def test_holm_steps_down_and_leaves_out_what_was_not_tested() -> None:
    # sorted 0.01 0.02 0.04: 3 * 0.01, then 2 * 0.02, then 1 * 0.04, never falling
    adjusted = inference.holm([0.04, math.nan, 0.01, 0.02])
    assert adjusted == pytest.approx([0.04, math.nan, 0.03, 0.04], nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None, max_examples=30)
def test_holm_is_statsmodels_holm(p: list[float]) -> None:
    assert inference.holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_a_difference_surely_within_the_margin_is_equivalent_even_if_real() -> None:
    verdicts = inference.decide([0.001, 0.001, 0.9, math.nan], [0.001, 0.9, 0.9, math.nan], 0.05)
    assert list(verdicts) == ["equivalent", "different", "undecided", "undecided"]


def test_seeds_needed_for_a_difference_is_statsmodels_sample_size() -> None:
    # far outside the margin only the test for a difference can decide
    expected = math.ceil(TTestPower().solve_power(effect_size=1.0 / 1.5, alpha=0.05, power=0.8))
    assert inference.seeds_to_decide(1.0, 1.5, 0.5, 0.05) == expected == 20


def test_seeds_needed_for_equivalence_reach_the_power_that_they_promise() -> None:
    std, margin = 0.6, 0.5
    n = int(inference.seeds_to_decide(0.0, std, margin, 0.05))
    draws = np.random.default_rng(0).normal(0, std, (20_000, n + 1))

    def power(count: int) -> float:
        sample = draws[:, :count]
        p = inference.p_equivalent(sample.mean(1), sample.std(1, ddof=1), np.full(len(sample), count), margin)
        return float((p < 0.05).mean())

    assert power(n) > inference.POWER - 0.01 > power(n - 2)


def test_seeds_needed_beyond_reason_is_infinite() -> None:
    assert inference.seeds_to_decide(0.5, 40.0, 0.5, 0.05) == math.inf


def test_welch_interval_counts_both_errors() -> None:
    ours, theirs = np.array([91.0, 91.4, 90.9, 91.2]), np.array([91.5, 91.9, 91.6])
    half = inference.against_known(ours.std(ddof=1), 4, theirs.std(ddof=1), 3)
    low, high = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert half == pytest.approx((high - low) / 2)


def test_a_paper_without_error_leaves_our_interval_and_one_without_n_widens_it() -> None:
    ours = float(inference.half_width(0.2, 5))
    assert inference.against_known(0.2, 5, math.nan, math.nan) == pytest.approx(ours)
    assert inference.against_known(0.2, 5, 0.2, math.nan) > inference.against_known(0.2, 5, 0.2, 20) > 0
    assert math.isnan(inference.against_known(math.nan, 1, 0.2, 5))


@pytest.mark.parametrize("theirs", [1, 3, 20])
def test_a_mean_of_known_n_without_a_spread_is_outside_at_most_one_time_in_twenty(theirs: int) -> None:
    rng = np.random.default_rng(0)
    ours = rng.normal(0, 0.2, (4000, 3))
    printed = rng.normal(0, 0.2, (4000, theirs)).mean(1)
    halves = [inference.against_known(float(std), 3, math.nan, theirs) for std in ours.std(1, ddof=1)]
    outside = float((np.abs(ours.mean(1) - printed) > halves).mean())
    assert outside == pytest.approx(0.05, abs=0.012)  # 3.5 standard errors


SAMPLES = st.lists(st.floats(-50, 50), min_size=3, max_size=8).filter(lambda values: np.std(values) > 1e-3)


@given(SAMPLES)
@settings(deadline=None, max_examples=60)
def test_the_sign_of_the_difference_does_not_matter_to_any_test(values: list[float]) -> None:
    mean, std, n = np.mean(values), np.std(values, ddof=1), len(values)
    assert inference.p_different(mean, std, n) == inference.p_different(-mean, std, n)
    assert inference.p_equivalent(mean, std, n, 0.5) == inference.p_equivalent(-mean, std, n, 0.5)


@given(SAMPLES, st.floats(0.1, 5), st.floats(1.1, 4))
@settings(deadline=None, max_examples=60)
def test_a_wider_margin_never_makes_equivalence_harder(values: list[float], margin: float, factor: float) -> None:
    numbers = np.mean(values), np.std(values, ddof=1), len(values)
    assert inference.p_equivalent(*numbers, margin * factor) <= inference.p_equivalent(*numbers, margin)


TABLES, COMPARISONS, SEEDS = 4000, 6, 5


def simulate(true_difference: float, std: float) -> np.ndarray:
    """Verdicts of TABLES tables of COMPARISONS comparisons that share one control, as a method's checks do."""
    rng = np.random.default_rng(1)
    control = rng.normal(0, std / math.sqrt(2), (TABLES, 1, SEEDS))
    check = rng.normal(true_difference, std / math.sqrt(2), (TABLES, COMPARISONS, SEEDS))
    difference = check - control
    numbers = difference.mean(-1), difference.std(-1, ddof=1), np.full((TABLES, COMPARISONS), SEEDS)
    p_holm = inference.holm(inference.p_different(*numbers))
    return inference.decide(p_holm, inference.p_equivalent(*numbers, 0.5), 0.05)


def test_false_different_in_any_cell_of_a_table_is_at_most_five_percent() -> None:
    false = (simulate(0.0, std=1.0) == "different").any(axis=1).mean()
    assert 0.01 < false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / TABLES)  # the lower bound: the test is not vacuous


@pytest.mark.parametrize("difference", [0.5, -0.5])
def test_false_equivalent_at_the_margin_is_at_most_five_percent(difference: float) -> None:
    false = (simulate(difference, std=0.2) == "equivalent").mean()
    # comparisons of a table share a control, so the count of independent draws is that of the tables
    assert 0.03 < false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / TABLES)


def test_clear_cases_are_decided_as_they_are() -> None:
    assert (simulate(0.0, std=0.15) == "equivalent").mean() > 0.95
    assert (simulate(-2.0, std=0.3) == "different").mean() > 0.95


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8), st.floats(0.01, 0.2))
def test_holms_steps_divide_alpha_so_that_each_p_alone_tells_its_verdict(p: list[float], alpha: float) -> None:
    steps = inference.holm_steps(p, alpha)
    assert ((np.array(p) < alpha / steps) == (inference.holm(p) < alpha)).all()


def test_holms_steps_end_where_the_procedure_does() -> None:
    assert inference.holm_steps([0.04, 0.001, 0.02, 0.9], 0.05).tolist() == [3, 4, 3, 3]


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=6))
@settings(deadline=None, max_examples=50)
def test_degrees_tell_apart_only_what_is_undecided(rows: list[tuple[float, float, float, float]]) -> None:
    p_different, p_equal, p_apart, p_small = map(np.array, zip(*rows, strict=True))
    verdicts = inference.decide(inference.holm(p_different), p_equal, 0.05)
    degrees = inference.degrees(verdicts, p_different, p_apart, p_small, 0.05)
    assert ((degrees == verdicts) | (verdicts == "undecided")).all()
    left = degrees[verdicts == "undecided"]
    assert set(left) <= {"undecided", "likely different", "small or none"}


def test_runs_apart_are_measured_by_the_prediction_interval_of_the_control() -> None:
    control, check = np.array([90.0, 90.4, 90.2]), np.array([88.0, 70.0, 30.0])
    # 88 lies 2.2 below 90.2, with a standard deviation of 0.2: t = 2.2 / (0.2 sqrt(4 / 3)) = 9.526, 2 d.o.f.
    assert float(inference.p_runs_apart(check, control)) == pytest.approx(2 * stats.t.sf(9.526279, 2))
    assert float(inference.p_runs_apart([88.0, 90.3, 95.0], control)) == 1.0
    assert np.isnan(inference.p_runs_apart(check[:2], control[:2]))
    assert np.isnan(inference.p_runs_apart(check, [90.0, 90.0, 90.0]))


@pytest.mark.parametrize("kind", ["normal", "heavy", "collapsing"])
def test_runs_without_an_effect_seldom_all_lie_apart_however_often_one_looks(kind: str) -> None:
    rng = np.random.default_rng(0)
    shape = 2, 5000, 12
    accuracies = {
        "normal": rng.standard_normal(shape),
        "heavy": rng.standard_t(3, shape),
        "collapsing": np.where(rng.random(shape) < 0.1, -80.0, 0.0) + rng.standard_normal(shape),
    }[kind]
    looks = [inference.p_runs_apart(*accuracies[..., :n]) < 0.05 for n in range(3, shape[-1] + 1)]
    assert np.any(looks, axis=0).mean() < 0.03


def test_seven_values_are_too_few_to_be_called_skewed() -> None:
    lopsided = [0.0, 0.1, -0.1, 0.05, -0.05, 0.1, -0.1, 9.0]
    assert inference.skewed(lopsided)
    assert not inference.skewed(lopsided[1:])
    draws = np.random.default_rng(0).standard_normal((500, 12))
    assert np.mean([inference.skewed(row) for row in draws]) < 0.08
