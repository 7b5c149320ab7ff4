"""Masks and allocations: exact counts, ties by position, nothing revived, mistakes named; for any scores at all."""

from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sanity.errors import UserError
from sanity.masks import (
    allocate,
    check_finite,
    collapsed,
    expected_overlap,
    keep_best,
    kept,
    layers,
    overlap,
    permute,
    size,
)
from sanity.masks.allocation import ERK, Allocation, SmartRatio, Uniform
from sanity.seeds import generator

SHAPES = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
    ),
    min_size=1,
    max_size=5,
)
RATIO = st.floats(0.01, 0.99)
SEED = st.integers(0, 2**20)
EXACT = st.sampled_from(["global", "uniform", "erk"])
QUICK = settings(max_examples=60, deadline=None, derandomize=True)


def noise(shapes: list[tuple[int, ...]], seed: int, levels: int = 0) -> dict[str, Tensor]:
    """Scores by layer; of few `levels`, so that most are tied, or all different."""
    source = generator(seed)
    total = sum(map(prod, shapes))
    values = (
        torch.randint(levels, (total,), generator=source).float()
        if levels
        else torch.randperm(total, generator=source).float()
    )
    parts = values.split([prod(shape) for shape in shapes])
    return {f"{i}.weight": part.view(shape) for i, (part, shape) in enumerate(zip(parts, shapes, strict=True))}


def leaves_nothing(scores: dict[str, Tensor], ratio: float) -> bool:
    return round((1 - ratio) * sum(score.numel() for score in scores.values())) == 0


@QUICK
@given(SHAPES, RATIO, SEED, EXACT, st.sampled_from([0, 1, 3]))
def test_counts_are_exact_also_among_ties(
    shapes: list[tuple[int, ...]], ratio: float, seed: int, allocation: str, levels: int
) -> None:
    scores = noise(shapes, seed, levels)
    if leaves_nothing(scores, ratio):
        with pytest.raises(UserError, match="ratio="):
            allocate(scores, ratio, allocation)
        return
    mask = allocate(scores, ratio, allocation)
    assert kept(mask) == round((1 - ratio) * size(mask))
    assert {name: layer.shape for name, layer in mask.items()} == {name: score.shape for name, score in scores.items()}


@QUICK
@given(SHAPES, SEED, st.integers(1, 3), st.data())
def test_the_highest_are_kept_and_among_equals_the_first(
    shapes: list[tuple[int, ...]], seed: int, levels: int, data: st.DataObject
) -> None:
    flat = torch.cat([score.flatten() for score in noise(shapes, seed, levels).values()])
    count = data.draw(st.integers(0, flat.numel()))
    highest = sorted(range(flat.numel()), key=lambda i: (-float(flat[i]), i))[:count]
    assert keep_best(flat, count).nonzero().flatten().tolist() == sorted(highest)


@QUICK
@given(SHAPES, RATIO, RATIO, SEED, st.sampled_from([0, 3]))
def test_global_masks_are_nested(
    shapes: list[tuple[int, ...]], ratio: float, second_ratio: float, seed: int, levels: int
) -> None:
    scores = noise(shapes, seed, levels)
    if leaves_nothing(scores, max(ratio, second_ratio)):
        return
    sparse, full = allocate(scores, max(ratio, second_ratio)), allocate(scores, min(ratio, second_ratio))
    assert not any((sparse[name] & ~full[name]).any() for name in sparse)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SHAPES, st.lists(RATIO, min_size=2, max_size=5), SEED, EXACT)
def test_rounds_never_revive_and_stay_exact(
    shapes: list[tuple[int, ...]], ratios: list[float], seed: int, allocation: str
) -> None:
    alive = None
    for step, ratio in enumerate(sorted(ratios)):
        scores = noise(shapes, seed + step)
        if leaves_nothing(scores, ratio):
            return
        mask = allocate(scores, ratio, allocation, alive)
        assert alive is None or not any((mask[name] & ~alive[name]).any() for name in mask)
        assert kept(mask) == round((1 - ratio) * size(mask))
        alive = mask


@pytest.mark.parametrize("allocation", ["uniform", "erk"])
def test_a_layer_that_would_want_more_at_a_smaller_budget_still_revives_nothing(allocation: str) -> None:
    """The Alabama paradox: 81 of these 102 weights give the second layer one, 80 give it two."""
    scores = noise([(1, 40), (1, 2), (1, 10), (1, 50)], 0)
    alive = None
    for count in range(101, 0, -1):
        mask = allocate(scores, 1 - count / 102, allocation, alive)
        assert kept(mask) == count
        assert alive is None or not any((mask[name] & ~alive[name]).any() for name in mask)
        alive = mask


@QUICK
@given(SHAPES, RATIO, SEED)
def test_a_positive_factor_and_a_shift_change_no_global_mask(
    shapes: list[tuple[int, ...]], ratio: float, seed: int
) -> None:
    scores = noise(shapes, seed)
    if leaves_nothing(scores, ratio):
        return
    moved = allocate({name: 4 * score - 16 for name, score in scores.items()}, ratio)
    assert all(torch.equal(layer, moved[name]) for name, layer in allocate(scores, ratio).items())


@QUICK
@given(SHAPES, RATIO)
def test_uniform_gives_every_layer_the_same_density(shapes: list[tuple[int, ...]], ratio: float) -> None:
    named = {str(i): shape for i, shape in enumerate(shapes)}
    total = sum(map(prod, shapes))
    if round((1 - ratio) * total):
        density = round((1 - ratio) * total) / total
        counts = Uniform().counts(named, ratio)
        assert all(abs(counts[name] - density * prod(shape)) < 1 for name, shape in named.items())


@QUICK
@given(SHAPES, RATIO)
def test_erk_gives_density_in_proportion_to_dimensions_over_size(shapes: list[tuple[int, ...]], ratio: float) -> None:
    named = {str(i): shape for i, shape in enumerate(shapes)}
    kept_weights = round((1 - ratio) * sum(map(prod, shapes)))
    if not kept_weights:
        return
    counts = ERK().counts(named, ratio)
    assert sum(counts.values()) == kept_weights
    assert all(0 <= counts[name] <= prod(shape) for name, shape in named.items())
    room = [name for name, shape in named.items() if counts[name] < prod(shape)]
    for layer in room:  # layers that are not full share by sum(dimensions), to the nearest whole weight
        for second_layer in room:
            dimensions, second_dimensions = sum(named[layer]), sum(named[second_layer])
            assert (counts[layer] - 1) / dimensions <= (counts[second_layer] + 1) / second_dimensions + 1e-9


@QUICK
@given(RATIO, st.sampled_from(["quadratic", "linear", "cubic", "balanced"]), st.sampled_from(["counted", "nominal"]))
def test_smart_ratio_keeps_its_share_of_the_classifier_and_almost_the_budget(
    ratio: float, decay: str, count: str
) -> None:
    shapes = {"a": (16, 3, 3, 3), "b": (16, 16, 3, 3), "c": (32, 16, 3, 3), "d": (32, 16, 1, 1), "fc": (10, 32)}
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    rule = SmartRatio(decay, 0.3, count)  # type: ignore[arg-type]
    if int((1 - ratio) * sum(sizes.values())) <= 96:
        with pytest.raises(UserError, match="smart_ratio"):
            rule.counts(shapes, ratio)
        return
    counts = rule.counts(shapes, ratio)
    assert counts["fc"] == 96
    assert all(0 <= counts[name] <= size for name, size in sizes.items())
    assert sum(counts.values()) <= round((1 - ratio) * sum(sizes.values())) + 1


class Fixed(Allocation):
    """Counts as they are given."""

    def __init__(self, *counts: int) -> None:
        self.given = counts

    def counts(self, shapes, ratio):  # type: ignore[no-untyped-def]
        return dict(zip(shapes, self.given, strict=True))


def test_an_allocation_of_ones_own_is_followed() -> None:
    mask = allocate(noise([(2, 3), (4,)], 0), 0.5, Fixed(1, 4))
    assert layers(mask) == {
        "0.weight": {"kind": "fc", "weights": 6, "kept": 1},
        "1.weight": {"kind": "bias", "weights": 4, "kept": 4},
    }


@QUICK
@given(SEED, st.integers(1, 60), st.integers(0, 60))
def test_a_permuted_mask_keeps_its_count(seed: int, weights: int, ones: int) -> None:
    mask = torch.arange(weights) < ones
    moved = permute(mask, generator(seed))
    assert moved.sum() == mask.sum()
    assert moved.shape == mask.shape


def test_overlap_by_chance_is_the_mean_overlap_of_permuted_masks() -> None:
    mask = {"a": torch.arange(40) < 10, "b": torch.arange(20) < 15}
    second = {"a": torch.arange(40) < 30, "b": torch.arange(20) < 5}
    drawn = [
        overlap(mask, {name: permute(layer, generator(seed, name)) for name, layer in second.items()})
        for seed in range(400)
    ]
    assert expected_overlap(mask, second) == pytest.approx((10 * 30 / 40 + 15 * 5 / 20) / 25)
    assert sum(drawn) / len(drawn) == pytest.approx(expected_overlap(mask, second), abs=0.02)
    assert overlap(mask, mask) == 1


def test_a_layer_without_weights_is_called_collapsed() -> None:
    assert collapsed({"a": torch.tensor([False, True]), "b": torch.tensor([False, False])}) == ["b"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_scores_that_are_not_finite_are_named(bad: float) -> None:
    with pytest.raises(UserError, match=r"'b'.* 1 of 2 "):
        check_finite({"a": torch.zeros(2), "b": torch.tensor([0.0, bad])})
    with pytest.raises(UserError, match="'b'"):
        allocate({"a": torch.zeros(2), "b": torch.tensor([0.0, bad])}, 0.5)


def test_an_unknown_allocation_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'unifrom'.*Did you mean 'uniform'"):
        allocate({"a": torch.zeros(4)}, 0.5, "unifrom")
