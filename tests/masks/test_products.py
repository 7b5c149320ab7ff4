"""Products are multiplied for the weights that are left alone: a round must remove what it would by scores of all."""

import pytest
import torch
from torch import Tensor

from sanity.errors import UserError
from sanity.masks import Survivors
from sanity.masks.patterns import UNSTRUCTURED
from sanity.masks.patterns import get as get_pattern
from sanity.masks.products import Products

SHAPES = {"first": (300, 400), "empty of use": (7,), "last": (100, 30, 3, 3)}
TOTAL = 300 * 400 + 7 + 100 * 270
RATIOS = (0.05, 0.1, 0.5, 0.9, 0.98, 0.9999)


def drawn(kind: str) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
    """Weights, and the slopes of each round."""
    source = torch.Generator().manual_seed(0)

    def values() -> dict[str, Tensor]:
        drawn = {name: torch.randn(shape, generator=source, dtype=torch.float64) for name, shape in SHAPES.items()}
        return {name: layer.round() if kind == "ties" else layer for name, layer in drawn.items()}

    return values(), [values() for _ in RATIOS]


@pytest.mark.parametrize("kind", ["even", "ties"])
@pytest.mark.parametrize("rule", ["global", "erk"])
@pytest.mark.parametrize("begins", ["with all", "among some", "by scores"])
def test_products_remove_what_their_scores_remove(kind: str, rule: str, begins: str) -> None:
    weights, rounds = drawn(kind)
    alive = {name: torch.rand(w.shape, generator=torch.Generator().manual_seed(1)) < 0.9 for name, w in weights.items()}
    by_products, by_scores = (Survivors(weights, alive if begins == "among some" else None) for _ in range(2))
    left = {name: weight.clone() for name, weight in weights.items()}
    for step, (slopes, ratio) in enumerate(zip(rounds, RATIOS, strict=True)):
        if begins == "among some" and ratio <= 0.1:
            continue
        scores = {name: (slopes[name] * left[name]).abs() for name in slopes}
        copied = {name: slope.clone() for name, slope in slopes.items()}
        products = scores if begins == "by scores" and step == 1 else Products(copied, left)
        gone = by_products.prune_round(products, ratio, rule)
        expected = by_scores.prune_round(scores, ratio, rule)
        assert all(torch.equal(gone[name].sort().values, expected[name].sort().values) for name in expected)
        for name, places in gone.items():
            left[name].view(-1)[places] = 0
        assert by_products.left() == by_scores.left() == round((1 - ratio) * TOTAL)
        mask, other = by_products.mask(), by_scores.mask()
        assert all(torch.equal(mask[name], other[name]) for name in other)
        assert mask.ties == other.ties


def test_a_sample_that_misleads_costs_time_alone() -> None:
    weights = {"all": torch.ones(120_000, dtype=torch.float64)}
    slopes = torch.rand(120_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slopes[:: 120_000 // 4096] = 0
    kept = Survivors(weights)
    kept.prune_round(Products({"all": slopes.clone()}, weights), 0.5)
    expected = slopes.argsort(descending=True, stable=True)[:60_000].sort().values
    assert kept.mask()["all"].nonzero().flatten().tolist() == expected.tolist()


def test_where_fewer_are_left_than_stay_none_go() -> None:
    weights, (slopes, *_) = drawn("even")
    alive = {name: torch.rand(w.shape, generator=torch.Generator().manual_seed(1)) < 0.9 for name, w in weights.items()}
    left = Survivors(weights, alive)
    assert not any(map(len, left.prune_round(Products(slopes, weights), RATIOS[0]).values()))
    assert all(torch.equal(layer, alive[name]) for name, layer in left.mask().items())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_products_that_are_not_finite_are_refused(bad: float) -> None:
    weights, (slopes, *_) = drawn("even")
    slopes["last"].view(-1)[3] = bad
    with pytest.raises(UserError, match="score of 'last' has 1 of 27000 values that are NaN or infinite"):
        Survivors(weights).prune_round(Products(slopes, weights), 0.5)


def test_patterns_get_the_products_multiplied() -> None:
    weights, (slopes, *_) = drawn("even")
    scores = {name: (slopes[name] * weights[name]).abs() for name in slopes}
    pattern = get_pattern("2:4")
    assert pattern is not UNSTRUCTURED
    by_products, by_scores = Survivors(weights, pattern=pattern), Survivors(weights, pattern=pattern)
    by_products.prune_round(Products(slopes, weights), 0.5)
    by_scores.prune_round(scores, 0.5)
    assert all(torch.equal(by_products.mask()[name], layer) for name, layer in by_scores.mask().items())


@pytest.mark.parametrize(("pattern", "expected"), [("unstructured", [4, 5, 6, 7]), ("2:4", [2, 3, 6, 7])])
def test_products_in_bf16_or_with_a_graph_are_ranked_as_scores_are(pattern: str, expected: list[int]) -> None:
    """A method of one's own may return either, as a saliency may."""
    weights = {"only": torch.linspace(1, 2, 8).view(1, 8).bfloat16().requires_grad_()}
    slopes = {"only": (-weights["only"]).square()}
    left = Survivors(weights, pattern=get_pattern(pattern))
    left.prune_round(Products(slopes, weights), 0.5)
    assert left.mask()["only"].flatten().nonzero().flatten().tolist() == expected
