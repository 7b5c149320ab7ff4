"""What each check of the mask keeps and destroys, measured."""

from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

import checks
from sanity.invariants import nets
from sanity.masks import overlap
from sanity.seeds import generator
from sanity.tickets import Ticket


def perturbed(name: str, ticket: Ticket, seed: int = 0, **options: Any) -> Ticket:
    return checks.get(name, **options).perturb(ticket, generator(seed))


def of(mask: Tensor, **fields: Any) -> Ticket:
    """A ticket of one layer, whose weights are all different."""
    return Ticket({"a": torch.arange(mask.numel(), dtype=torch.float32).view(mask.shape)}, {"a": mask}, **fields)


def random_mask(shape: tuple[int, ...], density: float, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=generator(seed, "mask")) < density


def degrees(mask: Tensor) -> list[list[int]]:
    """The number of kept weights of every row and of every column."""
    table = mask.flatten(1)
    return [table.sum(1).tolist(), table.sum(0).tolist()]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([(1, 5), (2, 2), (7, 4), (6, 5, 3), (5, 3, 2, 2)]), st.floats(0, 1), st.integers(0, 1000))
def test_rewire_keeps_every_degree(shape: tuple[int, ...], density: float, seed: int) -> None:
    mask = random_mask(shape, density, seed)
    rewired = perturbed("rewire", of(mask), seed, trades=3).mask["a"]
    assert degrees(rewired) == degrees(mask)


def test_rewire_moves_connections_and_nothing_else() -> None:
    ticket = nets.ticket(ratio=0.7)
    rewired = perturbed("rewire", ticket)
    assert not nets.changed(dict(ticket.weights), dict(rewired.weights))
    for name, mask in ticket.mask.items():
        assert degrees(rewired.mask[name]) == degrees(mask)
        assert not torch.equal(rewired.mask[name], mask), f"{name}: nothing moved"


@pytest.mark.parametrize("complement", [False, True])
def test_rewire_draws_every_mask_of_the_same_degrees_alike(complement: bool) -> None:
    mask = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.bool) ^ complement
    tables = (torch.tensor(cells, dtype=torch.bool).view(3, 4) for cells in product([False, True], repeat=12))
    possible = {tuple(table.flatten().tolist()) for table in tables if degrees(table) == degrees(mask)}
    drawn = [tuple(perturbed("rewire", of(mask), seed, trades=10).mask["a"].flatten().tolist()) for seed in range(300)]
    assert set(drawn) == possible
    counts = [drawn.count(table) for table in possible]
    assert stats.chisquare(counts).pvalue > 0.001


def test_rewire_forgets_where_the_connections_were() -> None:
    """At equal degrees in all units, a kept weight is met again as often as chance has it."""
    mask = torch.zeros(200, 200, dtype=torch.bool)
    for shift in range(10):
        mask[torch.arange(200), (torch.arange(200) + shift) % 200] = True
    shares = [overlap({"a": mask}, perturbed("rewire", of(mask), seed).mask) for seed in range(5)]
    assert sum(shares) / len(shares) == pytest.approx(10 / 200, abs=0.01)


def test_rewire_of_a_mask_with_a_pattern_keeps_it() -> None:
    order = torch.rand(12, 6, 4, generator=generator(0)).argsort(dim=2)
    mask = (order < 2).view(12, 24)
    rewired = perturbed("rewire", of(mask, pattern="2:4")).mask["a"]
    assert (rewired.view(12, 6, 4).sum(2) == 2).all()
    assert degrees(rewired) == degrees(mask)
    assert not torch.equal(rewired, mask)


def test_rewire_keeps_the_degrees_of_channels_within_their_group() -> None:
    """Column 0 of a grouped convolution is another input channel in every group."""
    mask = random_mask((8, 3, 2, 2), 0.4)
    rewired = perturbed("rewire", of(mask, groups={"a": 2})).mask["a"]
    assert [degrees(part) for part in rewired.split(4)] == [degrees(part) for part in mask.split(4)]
    assert not torch.equal(rewired, mask)


def test_rewire_leaves_a_bias_where_it_is() -> None:
    mask = random_mask((20,), 0.5)
    assert torch.equal(perturbed("rewire", of(mask)).mask["a"], mask)
