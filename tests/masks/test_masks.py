"""Masks of four weights, whose answer can be seen by eye."""

import pytest
import torch
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.masks import allocate, collapsed, dense, expected_overlap, keep_best, kept, overlap, prunable, size


def bits(mask: Tensor) -> str:
    return "".join("x" if bit else "." for bit in mask.flatten().tolist())


@pytest.mark.parametrize(
    ("scores", "count", "wanted"),
    [
        ([1.0, 4.0, 2.0, 3.0], 2, ".x.x"),
        ([1.0, 4.0, 2.0, 3.0], 0, "...."),
        ([1.0, 4.0, 2.0, 3.0], 4, "xxxx"),
        ([5.0, 5.0, 5.0, 5.0], 3, "xxx."),
        ([5.0, 7.0, 5.0, 5.0], 2, "xx.."),
        ([-1.0, -4.0, -2.0, -3.0], 1, "x..."),
        ([0.0, 0.0, 1.0, 0.0], 2, "x.x."),
    ],
)
def test_the_best_are_kept_and_among_equals_the_first(scores: list[float], count: int, wanted: str) -> None:
    assert bits(keep_best(torch.tensor(scores), count)) == wanted


def test_one_threshold_or_one_density_for_all_layers() -> None:
    scores = {"a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": torch.tensor([5.0, 6.0, 7.0, 8.0])}
    assert {name: bits(mask) for name, mask in allocate(scores, 0.5).items()} == {"a": "....", "b": "xxxx"}
    assert {name: bits(mask) for name, mask in allocate(scores, 0.5, "uniform").items()} == {"a": "..xx", "b": "..xx"}


def test_what_is_gone_stays_gone_however_high_it_scores() -> None:
    scores, alive = {"a": torch.tensor([9.0, 1.0, 2.0, 3.0])}, {"a": torch.tensor([False, True, True, True])}
    assert bits(allocate(scores, 0.5, alive=alive)["a"]) == "..xx"
    assert bits(allocate(scores, 0.5, "uniform", alive)["a"]) == "..xx"
    negative = {"a": torch.tensor([9.0, -5.0, -6.0, -7.0])}
    assert bits(allocate(negative, 0.5, alive=alive)["a"]) == ".xx."
    assert bits(allocate(scores, 0.01, alive=alive)["a"]) == ".xxx", "no more than are alive"


@pytest.mark.parametrize(
    ("ratio", "total", "left"),
    [(0.1, 10, 9), (0.55, 10, 4), (0.9, 10, 1), (0.94, 10, 1), (0.001, 10, 10), (0.5, 9, 4)],  # halves go to even
)
def test_rounding_is_of_the_density(ratio: float, total: int, left: int) -> None:
    assert kept(allocate({"a": torch.arange(float(total))}, ratio)) == left


def test_a_budget_of_ten_million_is_not_one_off() -> None:
    """(1 - 0.9) * 20,024,000 is 2,002,399.9999999998 in float64: truncation would lose a weight."""
    scores = {"a": torch.zeros(20_024_000)}
    assert kept(allocate(scores, 0.9)) == 2_002_400


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.5, 2.0, float("nan"), 0.9])
def test_a_ratio_outside_or_that_leaves_nothing_is_named(ratio: float) -> None:
    with pytest.raises(UserError, match=f"ratio={ratio}"):
        allocate({"a": torch.arange(4.0)}, ratio)


def test_prunable_are_the_weights_of_convolutions_and_linear_layers() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Embedding(2, 2), nn.Linear(2, 2, bias=False))
    assert list(prunable(net)) == ["0.weight", "3.weight"]
    assert list(prunable(net, biases=True)) == ["0.weight", "0.bias", "3.weight"]
    assert list(prunable(nn.Linear(2, 2))) == ["weight"]
    assert all(mask.all() for mask in dense(net).values())
    assert size(dense(net)) == kept(dense(net)) == 2 * 9 + 4


def test_shared_weights_are_counted_once() -> None:
    layer = nn.Linear(2, 2)
    assert list(prunable(nn.Sequential(layer, nn.ReLU(), layer))) == ["0.weight"]
    twin = nn.Linear(2, 2)
    twin.weight = layer.weight
    assert list(prunable(nn.Sequential(layer, twin))) == ["0.weight"]


def test_overlap_and_collapse() -> None:
    mask, other = (
        {"a": torch.tensor(values) > 0, "b": torch.tensor([1, 0]) > 0} for values in ([1, 1, 0, 0], [1, 0, 1, 0])
    )
    assert overlap(mask, other) == pytest.approx(2 / 3)
    assert expected_overlap(mask, other) == pytest.approx((1 + 0.5) / 3)
    assert collapsed({**mask, "c": torch.zeros(2, dtype=torch.bool)}) == ["c"]
