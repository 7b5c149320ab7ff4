"""Many scores are ranked through a sample of them: it must choose the very weights that sorting all of them does."""

import numpy as np
import pytest
import torch

from sanity.masks import ranking

N = 120_000  # above which a sample narrows the choice


def by_sorting(scores: torch.Tensor, count: int) -> torch.Tensor:
    """The same choice by a stable sort, which keeps the first among equals."""
    order = torch.sort(scores, descending=True, stable=True).indices
    return torch.zeros(len(scores), dtype=torch.bool).index_fill_(0, order[:count], True)


def drawn(kind: str) -> torch.Tensor:
    source = torch.Generator().manual_seed(0)
    values = torch.randn(N, generator=source, dtype=torch.float64)
    if kind == "ties":
        return (values * 3).round()
    if kind == "misleading":  # the sample sees only the large ones
        values = values.abs()
        values[:: N // ranking._SAMPLE] += 100
    if kind == "ascending":
        values = values.sort().values
    return values.float() if kind == "float" else values


@pytest.mark.parametrize("kind", ["even", "float", "ties", "misleading", "ascending"])
@pytest.mark.parametrize("count", [1, 500, N // 3, N // 2, N - 4000, N - 1])
def test_what_is_kept_is_what_sorting_keeps(kind: str, count: int) -> None:
    scores = drawn(kind)
    assert ranking._MANY < N
    assert torch.equal(ranking.keep_best(scores, count), by_sorting(scores, count))


def test_a_sample_spares_most_values_near_an_end() -> None:
    values = drawn("even").numpy()
    for k in (N // 100, N - N // 100):
        few, rank = ranking._narrowed(values, k)
        assert len(few) < N / 10
        assert np.partition(few, rank)[rank] == np.sort(values)[k]


def test_places_and_numbers_are_those_of_the_mask() -> None:
    mask = torch.rand(7, 5, generator=torch.Generator().manual_seed(1)) < 0.4
    assert torch.equal(ranking.places(mask), mask.flatten().nonzero().squeeze(1))
    assert ranking.number(mask) == int(mask.sum())
    assert ranking.places(torch.zeros(4, dtype=torch.bool)).tolist() == []
    values = torch.arange(35.0)
    positions = ranking.places(mask)
    assert torch.equal(ranking.taken(values, positions), values[positions])
    assert torch.equal(ranking.chosen(values, mask.flatten()), values[mask.flatten()])
