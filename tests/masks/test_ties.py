"""Ties are the weights of the mask that is found which some round kept by position alone, never more than are kept."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sanity.masks import RankedMask, Survivors, kept, ranking, ties
from sanity.masks import products as chunked
from sanity.masks.channels import Channels
from sanity.masks.pattern_base import Pattern
from sanity.masks.patterns import get as get_pattern
from sanity.masks.products import Products
from sanity.masks.ranking import keep_best

Layers = dict[str, Tensor]


def by_definition(rounds: list[Tensor], keeps: list[int]) -> tuple[Tensor, Tensor]:
    """What rounds by `keep_best` leave of flat scores, and which of it one of them kept as an equal of what went."""
    alive, tied = (torch.full(rounds[0].shape, value) for value in (True, False))
    for scores, keep in zip(rounds, keeps, strict=True):
        mask = keep_best(scores.masked_fill(~alive, -torch.inf), keep) & alive
        tied |= mask & torch.isin(scores, scores[alive & ~mask])
        alive = mask
    return alive, alive & tied


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[Layers], Layers, list[int]]:
    """Slopes of each round, factors, and how many weights each round keeps; of few levels, so that many tie."""
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    levels = draw(st.integers(0, 4))
    source = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def layers() -> Layers:
        drawn = (torch.randint(0, levels + 1, (2, size), generator=source).double() for size in sizes)
        return {str(place): layer.t() for place, layer in enumerate(drawn)}  # not contiguous

    keeps = sorted(draw(st.lists(st.integers(1, 2 * sum(sizes)), min_size=1, max_size=5)), reverse=True)
    return [layers() for _ in keeps], layers(), keeps


@pytest.mark.parametrize("chunk", [3, 1 << 14])
@pytest.mark.parametrize("sampled", [True, False])
def test_products_and_scores_keep_what_ranking_keeps_and_tell_what_ties(chunk: int, sampled: bool) -> None:
    @given(searches())
    @settings(max_examples=60, deadline=None)
    def law(search: tuple[list[Layers], Layers, list[int]]) -> None:
        rounds, factors, keeps = search
        scores = [{name: (slopes[name] * factors[name]).abs() for name in factors} for slopes in rounds]
        flat = [torch.cat([layer.flatten() for layer in layers.values()]) for layers in scores]
        alive, tied = by_definition(flat, keeps)
        by_scores, by_products = Survivors(factors), Survivors(factors)
        for slopes, layers, keep in zip(rounds, scores, keeps, strict=True):
            by_scores.prune_round(layers, 0.5, keep=keep)
            by_products.prune_round(Products(slopes, dict(reversed(factors.items()))), 0.5, keep=keep)
        for mask in (by_scores.mask(), by_products.mask()):
            assert torch.equal(torch.cat([layer.flatten() for layer in mask.values()]), alive)
            assert ties(mask) == int(tied.sum()) <= kept(mask)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked, "_CHUNK", chunk)
        if sampled:
            patch.setattr(ranking, "_MANY", 8)
            patch.setattr(ranking, "_SAMPLE", 8)
        law()


def test_ties_are_no_more_than_a_later_round_keeps() -> None:
    level, ascending = {"only": torch.ones(1000)}, {"only": torch.arange(1000.0)}
    search = Survivors(level)
    search.prune_round(level, 0.5)
    assert ties(search.mask()) == 500
    search.prune_round(ascending, 0.99)
    assert ties(search.mask()) == kept(search.mask()) == 10


def test_ties_that_a_later_round_removes_do_not_count() -> None:
    scores = {"only": torch.cat([torch.arange(1, 101.0), torch.zeros(100)])}
    search = Survivors(scores)
    search.prune_round(scores, 0.25)
    assert ties(search.mask()) == 50, "fifty zeros of a hundred"
    search.prune_round(scores, 0.6)
    assert ties(search.mask()) == 0


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (Channels((("first",),)), 27),
        (get_pattern("2:4"), 32 // 2),
        (get_pattern("unstructured"), (4 * 27 + 32) // 2),
    ],
    ids=["channel", "2:4", "unstructured"],
)
def test_patterns_count_weights(pattern: Pattern, expected: int) -> None:
    """Four filters of 27 equal weights, no multiple of four, and a classifier of 32, which has no channels.

    Of two channels that stay one does so as the best of its layer.
    """
    scores = {"first": torch.ones(4, 3, 3, 3), "last": torch.ones(8, 4)}
    search = Survivors(scores, pattern=pattern)
    search.prune_round(scores, 0.5)
    mask = search.mask()
    assert ties(mask) == expected


def test_ties_of_a_mask_that_is_gone_on_with_count_on() -> None:
    scores = {"only": torch.ones(8)}
    first = Survivors(scores)
    first.prune_round(scores, 0.5)
    mask = first.mask()
    second = Survivors(scores, mask)
    second.prune_round({"only": torch.arange(8.0)}, 0.75)
    assert ties(second.mask()) == 2
    assert isinstance(mask, RankedMask)
    assert int(mask.tied["only"].sum()) == 4
