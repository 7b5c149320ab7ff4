"""The examples that methods score on: the laws of their draw, and one line where there are too few."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.data import ScoringData
from sanity.data.dataset import Dataset, load
from sanity.errors import UserError
from sanity.grid.scoring_batches import scoring_indices


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, Dataset]:
    return load("digits")


def numbered(counts: list[int]) -> Dataset:
    """`counts[c]` one-pixel examples of class c, shuffled; an example's value is its position."""
    targets = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    targets = targets[torch.randperm(len(targets), generator=seeded())]
    examples = torch.arange(len(targets), dtype=torch.uint8).view(-1, 1, 1, 1)
    return Dataset(examples, targets, len(counts), (0.0,), (1 / 255,))


@given(
    counts=st.lists(st.integers(4, 12), min_size=2, max_size=5),
    per_class=st.integers(1, 4),
    batches=st.integers(1, 3),
    split=st.integers(1, 4),
    order=st.sampled_from(["mixed", "class_sorted"]),
    balanced=st.booleans(),
    seed=st.integers(0, 100),
)
@settings(max_examples=80, deadline=None)
def test_laws_of_scoring_indices(
    counts: list[int], per_class: int, batches: int, split: int, order: str, balanced: bool, seed: int
) -> None:
    data, size = numbered(counts), per_class * len(counts)
    split = min(split, size)
    options: dict = {"examples_per_class": per_class, "batches": batches, "balanced": balanced, "order": order}
    drawn = scoring_indices(data, ScoringData(**options, split=split), seeded(seed))
    assert len(drawn) == batches * split
    for start in range(0, len(drawn), split):
        parts = drawn[start : start + split]
        lengths = [len(part) for part in parts]
        assert sum(lengths) == size
        assert max(lengths) - min(lengths) <= 1
        positions = torch.cat(parts)
        targets = data.targets[positions]
        assert len(positions.unique()) == size  # without replacement
        assert not balanced or targets.bincount().tolist() == [per_class] * len(counts)
        assert order == "mixed" or torch.equal(targets, targets.sort().values)
    again = scoring_indices(data, ScoringData(**options, split=split), seeded(seed))
    assert all(torch.equal(one, other) for one, other in zip(drawn, again, strict=True))
    whole = scoring_indices(data, ScoringData(**options), seeded(seed))
    assert torch.equal(torch.cat(whole), torch.cat(drawn))


def test_class_sorted_halves_see_different_classes(digits: tuple[Dataset, Dataset]) -> None:
    first, second = scoring_indices(digits[0], ScoringData(order="class_sorted", split=2), seeded())
    assert digits[0].targets[first].unique().tolist() == [0, 1, 2, 3, 4]
    assert digits[0].targets[second].unique().tolist() == [5, 6, 7, 8, 9]
    assert len(first) == len(second) == 50


def test_mixed_batches_are_mixed_and_independent(digits: tuple[Dataset, Dataset]) -> None:
    one, two = scoring_indices(digits[0], ScoringData(batches=2), seeded())
    labels = digits[0].targets[one]
    assert not torch.equal(one, two)
    assert len(labels[:50].unique()) > 5
    assert not torch.equal(labels, labels.sort().values)


def test_every_example_is_drawn_equally_often() -> None:
    data = numbered([6, 30])
    generator = seeded()
    drawn = torch.zeros(36)
    for part in scoring_indices(data, ScoringData(examples_per_class=2, batches=3000), generator):
        drawn[part] += 1
    # 2 of 6 and 2 of 30: six standard deviations of a binomial over 3000 batches
    for label, share in ((0, 2 / 6), (1, 2 / 30)):
        slack = 6 * (share * (1 - share) / 3000) ** 0.5
        assert torch.all((drawn[data.targets == label] / 3000 - share).abs() < slack)


def test_unbalanced_batches_are_not_balanced(digits: tuple[Dataset, Dataset]) -> None:
    (drawn,) = scoring_indices(digits[0], ScoringData(balanced=False), seeded())
    labels = digits[0].targets[drawn]
    assert len(labels) == 100
    assert labels.bincount(minlength=10).tolist() != [10] * 10


def test_a_number_of_examples_is_drawn_whatever_their_class(digits: tuple[Dataset, Dataset]) -> None:
    one, two = scoring_indices(digits[0], ScoringData(examples=128, batches=2), seeded())
    assert len(one) == len(one.unique()) == len(two) == 128
    assert not torch.equal(one, two)
    assert torch.equal(one, scoring_indices(digits[0], ScoringData(examples=128), seeded())[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"examples_per_class": 5}, "class 1 has 4 examples, 5 a class"),
        ({"examples_per_class": 7, "balanced": False}, "14 examples are asked for scoring, the data set has 13"),
        ({"examples": 14}, "14 examples are asked for scoring, the data set has 13"),
        ({"examples_per_class": 1, "split": 3}, "split=3"),
        ({"order": "sorted"}, "unknown order 'sorted'"),
    ],
)
def test_scoring_mistakes_are_one_line(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        scoring_indices(numbered([9, 4]), ScoringData(**options), seeded())
