"""Magnitude sees only the weights, and those but for their sign and scale; noise sees nothing and has no favourites."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import methods
from sanity.invariants import nets
from sanity.masks import allocate, kept, prunable, size
from sanity.seeds import derive, generator

BY_SIZE = ["magnitude", "partially_trained", "hybrid_tickets"]
BY_CHANCE = ["random", "random_tickets"]


@pytest.mark.parametrize("name", BY_SIZE)
def test_the_score_is_the_absolute_value(name: str) -> None:
    model = nets.net("shortcut")
    scores = methods.get(name).score(model, nets.batches())
    assert all(torch.equal(scores[key], weight.detach().abs()) for key, weight in prunable(model).items())


@pytest.mark.parametrize("name", BY_SIZE)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(power=st.integers(-20, 20), seed=st.integers(0, 1000))
def test_positive_rescaling_of_the_network_changes_no_mask(name: str, power: int, seed: int) -> None:
    model = nets.net("shortcut", seed)
    before = methods.get(name).mask(model, nets.batches(), 0.8)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.0**power)
    assert not nets.changed(before, methods.get(name).mask(model, nets.batches(), 0.8))


@pytest.mark.parametrize("name", BY_CHANCE)
def test_noise_depends_on_the_generator_alone(name: str) -> None:
    method = methods.get(name)
    first, second = (method.score(nets.net("shortcut", seed), nets.batches(), generator(4)) for seed in (0, 1))
    assert not nets.changed(first, second), "the weights must not matter"
    assert len(nets.changed(first, method.score(nets.net("shortcut"), nets.batches(), generator(5)))) == len(first)


@pytest.mark.parametrize("name", BY_CHANCE)
def test_noise_is_uniform_and_without_ties(name: str) -> None:
    scores = methods.get(name).score(nets.net("perceptron"), nets.batches(), generator(0))
    values = torch.cat([score.flatten() for score in scores.values()])
    assert values.dtype == torch.float64
    assert len(values.unique()) == len(values)
    assert stats.kstest(values.numpy(), "uniform").pvalue > 0.001


def test_random_pruning_leaves_every_layer_about_the_same_density() -> None:
    model = nets.net("perceptron")
    masks = [methods.get("random").mask(model, nets.batches(), 0.7, generator(seed)) for seed in range(30)]
    for name in masks[0]:
        share = sum(float(mask[name].float().mean()) for mask in masks) / len(masks)
        assert share == pytest.approx(0.3, abs=0.04)
    assert all(kept(mask) == round(0.3 * size(mask)) for mask in masks)


def test_random_rounds_draw_anew() -> None:
    """Several rounds of noise are noise: a round must not rank by what an earlier one drew."""
    model = nets.net("perceptron")
    once, twice = (
        methods.get("random", rounds=rounds).mask(model, nets.batches(), 0.75, generator(0)) for rounds in (1, 2)
    )
    assert nets.changed(once, twice)
    method = methods.get("random", rounds=2)
    first = allocate(method.score(model, [], generator(0)), method.ratios(0.75)[0])
    second = method.prune(model, [], 0.75, derive(generator(0), 1), first)
    assert not nets.changed(twice, second), "a round's noise depends on its number, not on what was drawn before"
