"""Patterns on layers of a few weights, whose masks can be seen by eye; and what holds for every pattern."""

from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sanity.errors import UserError
from sanity.masks import allocate, check_feasible, kept, patterns, permute, ties
from sanity.masks.pattern_base import Pattern, Shape
from sanity.seeds import generator


def rows(mask: Tensor) -> list[str]:
    return ["".join("x" if bit else "." for bit in row) for row in mask.flatten(1).tolist()]


class Channel(Pattern):
    """Output channels: a pattern of one's own in three lines."""

    def members(self, shape: Shape, device: torch.device) -> Tensor:
        return torch.arange(prod(shape), device=device).view(shape[0], -1)


class Kernel(Pattern):
    """The weights between one input and one output channel."""

    def members(self, shape: Shape, device: torch.device) -> Tensor:
        return torch.arange(prod(shape), device=device).view(shape[0] * shape[1], -1)


class Block(Pattern):
    """2x2 blocks of a linear layer."""

    def members(self, shape: Shape, device: torch.device) -> Tensor:
        grid = torch.arange(prod(shape), device=device).view(shape[0] // 2, 2, shape[1] // 2, 2)
        return grid.transpose(1, 2).reshape(-1, 4)


LINEAR = torch.tensor(
    [
        [1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 1.0, 0.0],
        [4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 5.0],
    ]
)


def test_two_of_four_keeps_the_two_highest_of_every_four_inputs() -> None:
    mask = allocate({"fc": LINEAR}, 0.5, pattern=patterns.get("2:4"))
    assert rows(mask["fc"]) == ["..xxxx..", "xx..x..x"]
    assert ties(mask) == 1, "of three zeros the first is kept"
    assert rows(allocate({"fc": LINEAR}, 0.75, pattern=patterns.get("1:4"))["fc"]) == ["...xx...", "x......x"]
    assert rows(allocate({"fc": -LINEAR}, 0.5, pattern=patterns.get("2:4"))["fc"]) == ["xx....xx", "..xxxx.."]


def test_the_inputs_of_a_convolution_are_flattened() -> None:
    """Two channels of 1x2: four inputs, counted channel after channel."""
    score = torch.tensor([1.0, 5.0, 2.0, 4.0]).view(1, 2, 1, 2)
    assert rows(allocate({"conv": score}, 0.5, pattern=patterns.get("2:4"))["conv"]) == [".x.x"]


def test_a_layer_whose_inputs_are_no_multiple_stays_dense_and_so_does_a_bias() -> None:
    scores = {"conv": torch.arange(54.0).view(2, 3, 3, 3), "bias": torch.arange(4.0), "fc": LINEAR}
    mask = allocate(scores, 0.5, pattern=patterns.get("2:4"))
    assert mask["conv"].all()
    assert mask["bias"].all()
    assert kept(mask) == 54 + 4 + 8
    assert patterns.get("2:4").planned({name: tuple(score.shape) for name, score in scores.items()}, 0.5) == 66


def test_rounds_of_two_of_four_remove_one_of_four_first() -> None:
    pattern = patterns.get("2:4")
    first = allocate({"fc": LINEAR}, 0.25, pattern=pattern)
    assert rows(first["fc"]) == [".xxxxxx.", "xxx.xx.x"]
    second = allocate({"fc": -LINEAR}, 0.5, alive=first, pattern=pattern)
    assert rows(second["fc"]) == [".xx.x.x.", ".xx.xx.."], "the lowest of those that were left"


def test_channels_kernels_and_blocks_are_ranked_by_their_mean() -> None:
    assert rows(allocate({"fc": LINEAR}, 0.5, pattern=Channel())["fc"]) == ["xxxxxxxx", "........"]
    kernels = torch.tensor([[1.0, 1.0], [2.0, 0.0], [0.0, 5.0], [3.0, 3.0]]).view(2, 2, 1, 2)
    assert rows(allocate({"conv": kernels}, 0.5, pattern=Kernel())["conv"]) == ["....", "xxxx"]
    assert rows(allocate({"fc": LINEAR}, 0.5, pattern=Block())["fc"]) == ["xx..xx..", "xx..xx.."]
    assert rows(allocate({"fc": LINEAR}, 0.5, "uniform", pattern=Block())["fc"]) == ["xx..xx..", "xx..xx.."]


def test_as_many_groups_are_kept_as_fit_into_the_budget() -> None:
    scores = {"a": torch.tensor([[3.0, 3.0, 3.0], [1.0, 1.0, 1.0]]), "b": torch.tensor([[2.0], [4.0]])}
    mask = allocate(scores, 1 - 5 / 8, pattern=Channel())
    assert rows(mask["a"]) == ["xxx", "..."]
    assert rows(mask["b"]) == ["x", "x"]
    assert kept(allocate(scores, 1 - 3 / 8, pattern=Channel())) == 1, (
        "the channel of three does not fit beside the best"
    )


@pytest.mark.parametrize("pattern", [Channel(), Kernel(), Block()])
def test_a_rearranged_mask_has_whole_groups(pattern: Pattern) -> None:
    scores = {
        "a": torch.randn(4, 6, generator=generator(0)).view(4, 6, *([1, 1] if isinstance(pattern, Kernel) else []))
    }
    mask = allocate(scores, 0.5, pattern=pattern)["a"]
    masks = [permute(mask, generator(seed), pattern) for seed in range(20)]
    index = pattern.members(mask.shape, mask.device)
    for moved in masks:
        groups = moved.flatten()[index]
        assert (groups.all(1) | ~groups.any(1)).all()
        assert moved.sum() == mask.sum()
    assert len({tuple(moved.flatten().tolist()) for moved in masks}) > 1


def test_a_rearranged_two_of_four_takes_all_six_arrangements_of_every_four() -> None:
    mask = allocate({"fc": LINEAR}, 0.5, pattern=patterns.get("2:4"))["fc"]
    moved = [permute(mask, generator(seed), patterns.get("2:4")) for seed in range(200)]
    for column in range(0, 8, 4):
        seen = {tuple(each[row, column : column + 4].tolist()) for each in moved for row in range(2)}
        assert len(seen) == 6
        assert all(sum(group) == 2 for group in seen)
    dense = torch.arange(6).view(2, 3) > 2
    assert torch.equal(permute(dense, generator(0), patterns.get("2:4")), dense), (
        "a layer that the pattern leaves alone"
    )


def test_unstructured_is_one_permutation_of_the_layer() -> None:
    mask = torch.arange(12).view(3, 4) % 3 == 0
    order = torch.randperm(12, generator=generator(5))
    assert torch.equal(permute(mask, generator(5)), mask.flatten()[order].view(3, 4))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(2, 8), st.data())
def test_n_of_m_keeps_exactly_n_of_every_m(outputs: int, groups: int, m: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, m - 1))
    pattern = patterns.get(f"{n}:{m}")
    score = torch.randint(3, (outputs, groups * m), generator=generator(n)).float()
    alive = None
    for ratio in (0.3 * (1 - n / m), 1 - n / m):
        mask = allocate({"a": score}, ratio, alive=alive, pattern=pattern)
        assert alive is None or not (mask["a"] & ~alive["a"]).any()
        alive = mask
    kept_of_each = mask["a"].view(-1, m)
    assert (kept_of_each.sum(1) == n).all()
    values = score.view(-1, m)
    for row, chosen in zip(values, kept_of_each, strict=True):
        assert row[chosen].min() >= row[~chosen].max()


@pytest.mark.parametrize("name", ["4:2", "0:4", "2:2", "2:4096", "2/4", "2:4:8", "-1:4", "dense", ""])
def test_what_is_no_pattern_is_named(name: str) -> None:
    with pytest.raises(UserError, match=f"pattern={name}: should be unstructured or N:M with 0 < N < M <= 1024"):
        patterns.get(name)


@pytest.mark.parametrize(
    ("shape", "ratio", "allocation", "message"),
    [
        ((2, 8), 0.9, "global", r"ratio=0\.9: pattern=2:4 removes 0\.5 of the weights"),
        ((2, 8), 0.5, "erk", "pattern=2:4 allocation=erk: the pattern fixes how many weights each layer keeps; set"),
        ((2, 3), 0.5, "global", r"pattern=2:4: no layer has a multiple of 4 inputs \(they have 3\)"),
    ],
)
def test_what_a_pattern_cannot_have_is_one_line(
    shape: tuple[int, int], ratio: float, allocation: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        check_feasible({"a": torch.zeros(shape)}, ratio, allocation, patterns.get("2:4"))
    assert "\n" not in str(caught.value)
