"""How a mask changes in training: counts, who goes, who comes, and the way to the ratio."""

from math import cos, pi
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sanity.masks import allocate, kept
from sanity.masks.allocation import Uniform
from sanity.masks.updates import DropAndGrow, GradualPruning
from sanity.seeds import generator

SHAPES = {"a": (8, 3, 3, 3), "b": (30, 8), "c": (4, 30)}


def drawn(seed: int, density: float = 0.3) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Weights that are zero outside of a mask, the mask, and gradients by all of them."""
    source = generator(seed, "updates")
    values = [{name: torch.randn(shape, generator=source) for name, shape in SHAPES.items()} for _ in range(3)]
    mask = allocate(values[0], 1 - density)
    return {name: weight * mask[name] for name, weight in values[1].items()}, mask, values[2]


def published(weight: np.ndarray, mask: np.ndarray, wanted: np.ndarray, share: float) -> np.ndarray:
    """A layer's update as the code of RigL makes it: one ranking for what stays, one for what comes."""
    ones = int(mask.sum())
    prune = int(np.float32(ones) * np.float32(share))
    first = np.zeros(weight.size, dtype=bool)
    first[np.argsort(-np.abs(weight * mask).ravel(), kind="stable")[: ones - prune]] = True
    lifted = np.where(first, wanted.min() - 1, wanted.ravel())
    second = np.zeros(weight.size, dtype=bool)
    second[np.argsort(-lifted, kind="stable")[:prune]] = True
    return (first | second).reshape(weight.shape)


@given(seed=st.integers(0, 50), progress=st.floats(0, 1), density=st.sampled_from([0.05, 0.3, 0.9]))
def test_rigl_updates_as_its_code_does(seed: int, progress: float, density: float) -> None:
    weights, mask, gradients = drawn(seed, density)
    after = DropAndGrow(drop=0.4).updated(weights, mask, gradients, progress, generator(0))
    for name, layer in mask.items():
        share = 0.2 * (1 + cos(pi * progress))
        theirs = published(weights[name].numpy(), layer.numpy(), gradients[name].abs().numpy(), share)
        assert np.array_equal(after[name].numpy(), theirs)


@given(
    seed=st.integers(0, 50),
    progress=st.floats(0, 1),
    by_sign=st.booleans(),
    grow=st.sampled_from(["gradient", "random"]),
)
def test_no_layer_gains_or_loses_weights(seed: int, progress: float, by_sign: bool, grow: Any) -> None:
    weights, mask, gradients = drawn(seed)
    rule = DropAndGrow(grow=grow, by_sign=by_sign, decay="linear")
    after = rule.updated(weights, mask, gradients, progress, generator(seed))
    assert {name: int(layer.sum()) for name, layer in after.items()} == {n: int(x.sum()) for n, x in mask.items()}


@pytest.mark.parametrize(
    ("decay", "quarter", "last"), [("cosine", 0.2561, 0), ("linear", 0.225, 0), ("constant", 0.3, 0.3)]
)
def test_the_dropped_share_falls_to_zero(decay: Any, quarter: float, last: float) -> None:
    rule = DropAndGrow(decay=decay)
    assert [rule.share(progress) for progress in (0, 0.25, 1)] == pytest.approx([0.3, quarter, last], abs=1e-4)


def test_by_sign_both_signs_lose_the_same_share() -> None:
    weights = {"a": torch.tensor([1.0, 2, 3, 4, -10, -20, -30, -40, 0, 0])}
    mask = {"a": weights["a"] != 0}
    gradients = {"a": torch.tensor([0.0] * 8 + [1, 1])}
    after = DropAndGrow(drop=0.25, by_sign=True).updated(weights, mask, gradients, 0, generator(0))
    assert after["a"].tolist() == [False, True, True, True, False, True, True, True, True, True]
    together = DropAndGrow(drop=0.25).updated(weights, mask, gradients, 0, generator(0))
    assert together["a"].tolist() == [False, False, *[True] * 8]


def test_what_grows_at_random_is_another_at_every_update_and_uniform() -> None:
    weights = {"a": torch.cat([torch.ones(100), torch.zeros(300)])}
    mask = {"a": weights["a"] != 0}
    rule = DropAndGrow(grow="random", drop=0.5, decay="constant")
    grown = torch.zeros(400)
    for number in range(200):
        after = rule.updated(weights, mask, {}, 0, generator(0, number))["a"]
        grown += after.float()
    assert grown[300:].min() > 0
    assert float(grown[100:].mean()) == pytest.approx(200 * 50 / 350, rel=0.05)  # 50 of the 350 that are not kept


@given(
    seed=st.integers(0, 20),
    ratio=st.sampled_from([0.5, 0.9, 0.97]),
    allocation=st.sampled_from(["uniform", "global", "erk"]),
)
def test_gradual_pruning_only_removes_and_ends_at_the_ratio(seed: int, ratio: float, allocation: str) -> None:
    weights, _, _ = drawn(seed, 0.999)
    total = sum(weight.numel() for weight in weights.values())
    mask = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    rule = GradualPruning(ratio=ratio, allocation=allocation)
    for progress in (0.25, 0.5, 0.75, 1.0):
        after = rule.updated(weights, mask, {}, progress, generator(0))
        assert not any((after[name] & ~mask[name]).any() for name in mask)
        assert kept(after) == round((1 - ratio * (1 - (1 - progress) ** 3)) * total)
        mask, weights = after, {name: weights[name] * after[name] for name in after}
    if allocation == "uniform":
        counts = Uniform().counts(SHAPES, ratio)
        assert all(abs(int(mask[name].sum()) - count) <= 1 for name, count in counts.items())


def test_updates_are_due_at_multiples_up_to_the_end_and_the_last_of_gradual_pruning_is_never_left_out() -> None:
    def due(rule: Any, every: int, length: int) -> list[int]:
        return [iteration for iteration in range(length) if rule.due(iteration, every, length)]

    assert due(DropAndGrow(until=0.75), 10, 40) == [10, 20]
    assert due(DropAndGrow(until=1.0), 10, 40) == [10, 20, 30]
    assert due(GradualPruning(ratio=0.5), 10, 40) == [10, 20, 30]
    assert due(GradualPruning(ratio=0.5), 100, 40) == [30]
    assert due(GradualPruning(ratio=0.5, until=1.0), 100, 40) == [39]
    assert due(GradualPruning(ratio=0.5), 1, 1) == [0]


def test_a_rule_is_named_by_what_differs_from_its_defaults() -> None:
    assert DropAndGrow().text() == "DropAndGrow {}"
    assert DropAndGrow(every="10it", drop=0.5).text() == "DropAndGrow {'drop': 0.5, 'every': '10it'}"
    assert GradualPruning(ratio=0.9).text() == "GradualPruning {'ratio': 0.9}"
