"""Which seeds are spent next, from counts, expected seeds and hours alone; and what that does to error rates."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import inference
from reports.designs import SEQUENTIAL
from sanity.grid.design import ALL_DECIDED, MAX_HOURS, MAX_SEEDS, ROUND, SECONDS, Comparison, Costs, Design

HOUR = SECONDS
A, B, C = Comparison("a", "none"), Comparison("b", "none"), Comparison("c", "other")
ABC = (A, B, C)


def design(comparisons: tuple[Comparison, ...] = ABC, most: int = 40, hours: float = math.inf) -> Design:
    points = tuple(dict.fromkeys(point for each in comparisons for point in (each.control, each.check)))
    return Design(points, comparisons, 4, dict.fromkeys(points, most), hours)


def costs(spent: float = 0.0, **seconds: float) -> Costs:
    taken = dict.fromkeys(at(1), 1.0) | seconds
    return Costs({point: frozenset([point]) for point in taken}, taken, spent)


def at(seeds: int, **others: int) -> dict[str, int]:
    return dict.fromkeys(("none", "a", "b", "other", "c"), seeds) | others


def test_everything_starts_with_one_seed_and_then_four() -> None:
    first = design().start()
    assert first.counts == at(1)
    second = design().after(first.counts, dict.fromkeys(ABC, math.nan), costs())
    assert (second.counts, second.end) == (at(4), "")


def test_the_first_seeds_are_as_many_as_the_hours_allow() -> None:
    slow, open_ones = costs(spent=5.0, **dict.fromkeys(at(1), HOUR)), dict.fromkeys(ABC, math.nan)
    some = design(hours=15.0).after(at(1), open_ones, slow)
    assert some.counts == at(3)
    assert design(hours=9.9).after(at(1), open_ones, slow).end == MAX_HOURS


def test_what_is_decided_gets_no_further_seed() -> None:
    step = design().after(at(4), {B: 4.0}, costs())
    assert step.counts == at(4, none=5, b=5)
    assert design().after(at(4), {}, costs()).end == ALL_DECIDED


def test_the_nearest_to_a_decision_by_hours_comes_first() -> None:
    """A seed of `a` takes ten times as long, so that it is further away though it needs fewer seeds."""
    dear = costs(spent=0.0, a=10 * HOUR, b=HOUR, none=0.0, c=HOUR, other=0.0)
    step = design(hours=1.0).after(at(8), {A: 2.0, B: 4.0, C: 6.0}, dear)
    assert step.counts == at(8, none=9, b=9)


def test_what_no_allowed_seed_will_decide_comes_last() -> None:
    hours = dict.fromkeys(at(1), HOUR)
    step = design(most=20, hours=2.0).after(at(8), {A: math.nan, B: 100.0, C: 12.0}, costs(0.0, **hours))
    assert step.counts == at(8, other=9, c=9)


def test_a_control_that_a_sibling_has_run_costs_nothing() -> None:
    seconds = {"none": 5 * HOUR, "other": 1 * HOUR, "a": HOUR, "b": HOUR, "c": HOUR}
    step = design(hours=1.0).after(at(8, none=9, a=9), {B: 1.0, C: 1.0}, costs(0.0, **seconds))
    assert step.counts == at(8, none=9, a=9, b=9)


def test_it_ends_at_the_most_seeds_or_hours() -> None:
    assert design(most=8).after(at(8), {A: 3.0}, costs()).end == MAX_SEEDS
    assert design(hours=1.0).after(at(8), {A: 3.0}, costs(spent=1.0)).end == MAX_HOURS


def test_a_round_of_many_comparisons_leaves_the_farthest_for_later() -> None:
    many = tuple(Comparison(number, "none") for number in range(100))
    step = design(many).after(dict.fromkeys(design(many).points, 4), {each: 1.0 + each.check for each in many}, costs())  # type: ignore[operator]
    assert sum(step.counts.values()) - 4 * 101 == ROUND
    assert max(number for number in range(100) if step.counts[number] > 4) == ROUND - 2


def test_what_is_expected_shares_controls_and_stays_within_the_most_seeds() -> None:
    cells, hours = design(most=10).expected(
        at(4), {A: 3.0, B: 50.0, C: math.nan}, costs(0.0, **dict.fromkeys(at(1), HOUR))
    )
    assert (cells, hours) == (3 + 6 + 6 + 6 + 6, pytest.approx(27.0))


@given(
    st.tuples(*[st.integers(1, 40)] * 3),
    st.dictionaries(st.sampled_from(ABC), st.one_of(st.floats(1, 1e4), st.just(math.inf), st.just(math.nan))),
    st.dictionaries(st.sampled_from(sorted(at(1))), st.floats(0, 1e4)),
    st.floats(0, 20),
    st.floats(0.1, 40),
)
def test_every_step_adds_seeds_within_the_limits_or_ends(
    seeds: tuple[int, int, int],
    further: Mapping[Comparison, float],
    seconds: Mapping[str, float],
    spent: float,
    most: float,
) -> None:
    a, b, c = seeds
    before, taken = {"none": max(a, b), "a": a, "b": b, "other": c, "c": c}, costs(spent, **seconds)
    step = design(hours=most).after(before, further, taken)
    added = {point: step.counts[point] - before[point] for point in before}
    assert all(0 <= more <= 40 - before[point] for point, more in added.items())
    assert bool(step.end) == (not any(added.values()))
    if not step.end:
        assert spent + sum(more * taken.seconds[point] for point, more in added.items()) / SECONDS <= most + 1e-9
        assert all(step.counts[each.control] >= step.counts[each.check] for each in ABC)


# -- what it does to error rates and seeds, on made-up differences ----------------------------------------------------

MARGIN, ALPHA, MOST = 0.5, 0.05, 40


def verdicts(differences: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The verdicts of comparisons (a row each) after so many seeds, and the standard deviations."""
    seen = np.where(np.arange(differences.shape[1]) < seeds[:, None], differences, np.nan)
    mean, std = np.nanmean(seen, axis=1), np.nanstd(seen, axis=1, ddof=1)
    different = inference.p_different(mean, std, seeds, SEQUENTIAL)
    equivalent = inference.p_equivalent(mean, std, seeds, MARGIN, SEQUENTIAL)
    return inference.decide(different, equivalent, ALPHA), std


def spend(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs the design on comparisons with controls of their own; their verdicts and seeds at the end."""
    comparisons = tuple(Comparison(("check", row), ("control", row)) for row in range(len(differences)))
    spending = design(comparisons)
    step = spending.start()
    free = Costs({}, {})
    further = dict.fromkeys(comparisons, math.nan)
    while True:
        step = spending.after(step.counts, further, free)
        seeds = np.array([step.counts[each.check] for each in comparisons])
        found, std = verdicts(differences, seeds)
        if step.end:
            return found, seeds
        rough = np.maximum(12 * (std / MARGIN) ** 2 - seeds, 1)  # seeds for equivalence, near enough to order by
        further = {each: float(rough[row]) for row, each in enumerate(comparisons) if found[row] == "undecided"}


def test_no_effect_is_called_different_at_most_five_times_in_a_hundred() -> None:
    generator = np.random.default_rng(1)
    called = [spend(generator.normal(0.0, 1.5, (12, MOST)))[0] == "different" for _ in range(60)]
    assert np.mean(called) <= 0.05


def test_an_effect_of_the_margin_is_called_equivalent_at_most_five_times_in_a_hundred() -> None:
    generator = np.random.default_rng(2)
    called = [spend(generator.normal(MARGIN, 0.8, (12, MOST)))[0] == "equivalent" for _ in range(60)]
    assert np.mean(called) <= 0.05


def test_it_takes_half_the_seeds_of_as_many_for_all() -> None:
    """Against the smallest number of seeds, the same for all, at which as many comparisons are decided."""
    generator = np.random.default_rng(3)
    spent, equal = [], []
    for _ in range(20):
        truths, spreads = generator.choice([0.0, 1.0, 3.0], 12), generator.choice([0.15, 0.3, 0.6, 1.0], 12)
        differences = generator.normal(truths[:, None], spreads[:, None], (12, MOST))
        found, seeds = spend(differences)
        decided = (found != "undecided").sum()
        enough = [
            n for n in range(4, MOST + 1) if (verdicts(differences, np.full(12, n))[0] != "undecided").sum() >= decided
        ]
        spent.append(seeds.sum())
        equal.append(12 * min(enough, default=MOST))
    assert np.mean(spent) < 0.5 * np.mean(equal)
