"""What each check of the mask keeps and destroys, measured."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

import checks
import methods
from checks.base import Composed
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import layers, overlap
from sanity.masks.ticket import Ticket
from sanity.seeds import generator


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


def rows(mask: Tensor) -> list[list[bool]]:
    return sorted(mask.flatten(1).tolist())


def test_rearrange_units_hands_whole_rows_to_other_units() -> None:
    ticket = nets.ticket(ratio=0.7)
    rearranged = perturbed("rearrange_units", ticket)
    assert not nets.changed(dict(ticket.weights), dict(rearranged.weights))
    for name, mask in ticket.mask.items():
        assert rows(rearranged.mask[name]) == rows(mask)
        assert not torch.equal(rearranged.mask[name], mask)


def test_rearrange_units_sends_a_row_to_every_unit_of_its_group_alike() -> None:
    mask = torch.eye(6, dtype=torch.bool).view(6, 6, 1, 1)
    drawn = [perturbed("rearrange_units", of(mask, groups={"a": 2}), seed).mask["a"] for seed in range(300)]
    first = torch.stack(drawn)[:, :, 0, 0, 0].int().argmax(1)  # the unit that has row 0
    assert stats.chisquare(first.bincount(minlength=6)[:3]).pvalue > 0.001
    assert first.max() < 3, "row 0 left its group"


def test_rearrange_units_takes_the_bias_along() -> None:
    units = random_mask((20,), 0.5)
    mask = {"a.weight": units[:, None].expand(20, 3), "a.bias": units}
    ticket = Ticket({"a.weight": torch.zeros(20, 3), "a.bias": torch.zeros(20)}, mask)
    rearranged = perturbed("rearrange_units", ticket).mask
    assert torch.equal(rearranged["a.weight"][:, 0], rearranged["a.bias"])
    assert not torch.equal(rearranged["a.bias"], units)


def test_rearrange_units_inside_keeps_in_degrees_alone() -> None:
    ticket = nets.ticket(ratio=0.7)
    rearranged = perturbed("rearrange_units", ticket, scope="inside")
    for name, mask in ticket.mask.items():
        assert degrees(rearranged.mask[name])[0] == degrees(mask)[0]
    assert any(degrees(rearranged.mask[name])[1] != degrees(mask)[1] for name, mask in ticket.mask.items())


@pytest.mark.parametrize("scope", ["rows", "inside"])
def test_rearrange_units_keeps_a_pattern(scope: str) -> None:
    mask = (torch.rand(6, 5, 4, generator=generator(0)).argsort(dim=2) < 2).view(6, 20)
    rearranged = perturbed("rearrange_units", of(mask, pattern="2:4"), scope=scope).mask["a"]
    assert (rearranged.view(6, 5, 4).sum(2) == 2).all()
    assert not torch.equal(rearranged, mask)


def test_rearrange_kernels_moves_whole_kernels() -> None:
    ticket = nets.ticket(ratio=0.7, name="convolutional")
    rearranged = perturbed("rearrange_kernels", ticket)
    assert layers(rearranged.mask) == layers(ticket.mask)
    for name, mask in ticket.mask.items():
        assert not torch.equal(rearranged.mask[name], mask)
        if mask.dim() == 4:
            kernels = [sorted(layer.reshape(-1, 9).tolist()) for layer in (mask, rearranged.mask[name])]
            assert kernels[0] == kernels[1]


def test_rearrange_kernels_sends_a_kernel_anywhere_alike() -> None:
    mask = torch.zeros(3, 2, 2, 2, dtype=torch.bool)
    mask[0, 0, 0, 1] = True
    drawn = torch.stack([perturbed("rearrange_kernels", of(mask), seed).mask["a"] for seed in range(300)])
    assert (drawn[:, :, :, 0, 1].sum((1, 2)) == 1).all()
    assert stats.chisquare(drawn[:, :, :, 0, 1].sum(0).flatten()).pvalue > 0.001


def test_rearrange_kernels_refuses_what_has_no_kernels() -> None:
    with pytest.raises(UserError, match="layerwise_rearrange"):
        perturbed("rearrange_kernels", nets.ticket(name="perceptron"))
    with pytest.raises(UserError, match="several kernels"):
        perturbed("rearrange_kernels", of(torch.ones(2, 4, 3, 3, dtype=torch.bool), pattern="2:4"))
    check, method = checks.get("rearrange_kernels"), methods.get("snip")
    check.check_feasible(method, nets.net("convolutional"))
    with pytest.raises(UserError, match="layerwise_rearrange"):
        Composed({"a": check}).check_feasible(method, nets.net("perceptron"))


def test_resample_draws_other_examples_in_the_same_way() -> None:
    data = replace(nets.dataset(40), targets=torch.arange(40), classes=40)
    firsts = [checks.get("resample").corrupt(data, generator(seed)) for seed in range(200)]
    for seen in firsts[:5]:
        assert torch.equal(seen.targets.sort().values, data.targets), "every example once"
        assert torch.equal(seen.pixels, data.pixels[seen.targets]), "examples go with their labels"
    counts = torch.stack([seen.targets[:10] for seen in firsts]).flatten().bincount(minlength=40)
    assert stats.chisquare(counts).pvalue > 0.001


def test_resample_changes_the_tickets_of_methods_that_read_data_alone() -> None:
    data, seen = nets.dataset(), checks.get("resample").corrupt(nets.dataset(), generator(0))
    for name in ("snip", "grasp", "synflow", "magnitude", "random"):
        method = methods.get(name, rounds=1)
        masks = [method.mask(nets.net("shortcut"), nets.batches(each), 0.5, generator(0)) for each in (data, seen)]
        assert checks.get("resample").predicts(method) == ("null" if method.needs_data else "identical")
        assert bool(nets.changed(*masks)) == method.needs_data
