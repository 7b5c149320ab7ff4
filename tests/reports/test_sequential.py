"""The tests that may be looked at after every seed: their error rates by simulation, and their laws."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from reports import inference, sequential
from reports.designs import FIXED, SEQUENTIAL, Design
from tests.reports import expected_seeds

RUNS, SEEDS, ALPHA = 2000, 60, 0.05
BOUND = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / RUNS)  # three standard errors of the simulation
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def noise(kind: str, seed: int = 0) -> np.ndarray:
    """RUNS sequences of mean 0 and standard deviation 1."""
    rng = np.random.default_rng(seed)
    shape = RUNS, SEEDS
    match kind:
        case "normal":
            return rng.standard_normal(shape)
        case "heavy":
            return rng.standard_t(3, shape) / np.sqrt(3)
        case _:
            return rng.uniform(-np.sqrt(3), np.sqrt(3), shape)


def looks(differences: np.ndarray) -> Sample:
    """Mean, standard deviation and number after each of the second to the last seed."""
    n = np.arange(1, differences.shape[-1] + 1)
    mean = differences.cumsum(-1) / n
    squares = np.maximum((differences**2).cumsum(-1) - n * mean**2, 0)
    return mean[..., 1:], np.sqrt(squares[..., 1:] / (n[1:] - 1)), np.broadcast_to(n[1:], mean[..., 1:].shape)


def p_different(differences: np.ndarray) -> np.ndarray:
    return inference.p_different(*looks(differences), SEQUENTIAL)


def p_equivalent(differences: np.ndarray, margin: float) -> np.ndarray:
    return inference.p_equivalent(*looks(differences), margin, SEQUENTIAL)


@pytest.mark.parametrize("kind", ["normal", "heavy", "flat"])
@pytest.mark.parametrize("spread", [0.05, 1.5])
def test_looking_after_every_seed_seldom_finds_a_difference_that_is_not_there(kind: str, spread: float) -> None:
    assert (p_different(spread * noise(kind)) <= ALPHA).any(axis=1).mean() <= BOUND


def test_looking_after_every_seed_with_holms_correction_seldom_finds_one_in_a_claim() -> None:
    ratios = 4
    p = np.stack([p_different(noise("normal", seed)) for seed in range(ratios)], axis=-1)
    assert (inference.holm(p) <= ALPHA).any(axis=(1, 2)).mean() <= BOUND


@pytest.mark.parametrize("kind", ["normal", "heavy", "flat"])
@pytest.mark.parametrize("spread", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("side", [1, -1])
def test_a_difference_of_the_margin_is_seldom_called_equivalent(kind: str, spread: float, side: int) -> None:
    p = p_equivalent(spread * noise(kind) + side * 0.5, 0.5)
    assert (p <= ALPHA).any(axis=1).mean() <= BOUND


def test_a_difference_beyond_the_margin_is_called_equivalent_even_less() -> None:
    p = p_equivalent(noise("normal") + 0.8, 0.5)
    assert (p <= ALPHA).any(axis=1).mean() <= BOUND / 5


def test_the_interval_holds_the_mean_whenever_one_stops() -> None:
    left = 0
    for row in noise("normal", seed=1)[:300]:
        ends = [
            inference.interval(row[:n].mean(), row[:n].std(ddof=1), n, ALPHA, 2, SEQUENTIAL)
            for n in (3, 5, 8, 13, 21, 34, 55)
        ]
        left += any(not low <= 0 <= high for low, high in ends)
    assert left / 300 <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / 300)


def seeds_until(p: np.ndarray) -> float:
    """The mean number of seeds until p falls to ALPHA, SEEDS where it does not."""
    return float(np.where((p <= ALPHA).any(axis=1), (p <= ALPHA).argmax(axis=1) + 2, SEEDS).mean())


@pytest.mark.parametrize(("spread", "fixed"), [(0.15, 3), (0.3, 5), (0.6, 14)])
def test_it_needs_not_twice_the_seeds_of_one_who_knew_the_right_number(spread: float, fixed: int) -> None:
    """fixed: the n at which the two one-sided t tests at margin 0.5 decide with power 0.8."""
    assert seeds_until(p_equivalent(spread * noise("normal"), 0.5)) < 1.75 * fixed


def test_the_seeds_that_are_named_decide_four_times_out_of_five() -> None:
    n = int(inference.seeds_to_decide(0.0, 0.6, 0.5, ALPHA, design=SEQUENTIAL))
    decided = p_equivalent(0.6 * noise("normal"), 0.5)[:, n - 2] <= ALPHA
    assert 0.75 < decided.mean() < 0.9


@pytest.mark.parametrize(("t", "n"), [(0.3, 2), (2.0, 5), (-1.0, 8), (4.0, 20)])
def test_the_bet_is_the_mixture_over_effect_sizes_that_it_is_said_to_be(t: float, n: int) -> None:
    """The likelihood ratio of the t statistic, averaged over a normal prior of the effect size, or its upper half."""

    def ratio(effect: float) -> float:
        prior = stats.norm.pdf(effect, scale=1 / np.sqrt(sequential.C2))
        return float(prior * stats.nct.pdf(t, n - 1, effect * np.sqrt(n)) / stats.t.pdf(t, n - 1))

    below, above = (integrate.quad(ratio, *ends)[0] for ends in ((-8, 0), (0, 8)))
    assert float(sequential.e_two_sided(t, n)) == pytest.approx(below + above, rel=1e-4)
    assert float(sequential.e_one_sided(t, n)) == pytest.approx(2 * above, rel=1e-4)


@given(st.floats(-1e6, 1e6), st.integers(2, 200))
def test_the_one_sided_bet_grows_with_the_statistic(t: float, n: int) -> None:
    assert sequential.e_one_sided(t + 0.1, n) >= sequential.e_one_sided(t, n) * (1 - 1e-6)


@pytest.mark.parametrize("design", [FIXED, SEQUENTIAL])
@pytest.mark.parametrize("sides", [1, 2])
@given(n=st.integers(6, 60), alpha=st.floats(0.005, 0.2))
def test_at_its_critical_value_p_is_alpha(design: Design, sides: int, n: int, alpha: float) -> None:
    t = design.critical(n, alpha, sides)
    if np.isfinite(t):
        p = (design.p_two_sided if sides == 2 else design.p_one_sided)(t, n)
        assert float(p) == pytest.approx(alpha, rel=1e-5)


def test_few_seeds_can_decide_nothing() -> None:
    assert [n for n in range(2, 8) if np.isfinite(sequential.critical(n, 0.05, 2))] == [5, 6, 7]
    assert [n for n in range(2, 8) if np.isfinite(sequential.critical(n, 0.05, 1))] == [4, 5, 6, 7]


@pytest.mark.parametrize("values", [[1.0], [0.3, 0.3, 0.3, 0.3]])
def test_without_spread_nothing_is_said(values: list[float]) -> None:
    numbers = float(np.mean(values)), 0.0, len(values)
    assert np.isnan(inference.p_different(*numbers, SEQUENTIAL))
    assert np.isnan(inference.p_equivalent(*numbers, 0.5, SEQUENTIAL))
    assert np.isnan(inference.interval(*numbers, 0.05, 2, SEQUENTIAL)).all()


@pytest.mark.parametrize("kind", ["skewed, exchanged", "collapsing, exchanged"])
def test_a_check_without_any_effect_is_seldom_different_however_skewed_accuracies_are(kind: str) -> None:
    assert expected_seeds.different(expected_seeds.draws(kind), sequential.C2).any(1).mean() < ALPHA


def test_what_skewed_differences_cost_is_what_the_documentation_says() -> None:
    """Fixed at 20 seeds, a true difference of the margin, exponential: false "equivalent" before and after the flag."""
    values = expected_seeds.draws("skewed")[:, :20] + 0.5
    p = inference.p_equivalent(values.mean(1), values.std(1, ddof=1), np.full(len(values), 20), 0.5)
    false = values[p < ALPHA]
    left = [row for row in false if not (inference.skewed(row) and np.abs(row).max() > 0.5)]
    assert len(false) / len(values) == pytest.approx(0.11, abs=0.001)
    assert len(left) / len(values) == pytest.approx(0.045, abs=0.001)
    assert 0.995**598 <= ALPHA < 0.995**597


def test_the_expected_seeds_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(): cells[2:] for cells in (line.split("|") for line in page.splitlines()) if len(cells) == 9}
    normal = expected_seeds.draws("normal")
    for spread, stated, known in zip(expected_seeds.SPREADS, rows["1"], rows["fixed, truth known"], strict=False):
        simulated = expected_seeds.needed(expected_seeds.equivalent(spread * normal, sequential.C2))
        assert simulated == pytest.approx(float(stated), abs=0.06)
        assert expected_seeds.fixed(0.0, spread) == known.strip()
