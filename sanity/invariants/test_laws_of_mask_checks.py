"""What each check of the mask keeps and destroys, measured."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise, product
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
from sanity.masks import allocate, expected_overlap, keep_best, kept, layers, overlap, scattered
from sanity.masks.allocation import CountsOf
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


def test_layer_order_hands_the_densities_to_other_layers() -> None:
    """At densities that fit, a layer has the density of another one, times one factor."""
    shapes = {"a": (60, 100), "b": (200, 100), "c": (40, 100)}
    mask = {
        name: scattered(torch.empty(shape), 100 * place, generator(place))
        for place, (name, shape) in enumerate(shapes.items(), 1)
    }
    ticket = Ticket({name: torch.zeros(shape) for name, shape in shapes.items()}, mask)
    own = [float(layer.float().mean()) for layer in mask.values()]
    met = set()
    for seed in range(30):
        seen = perturbed("layer_order", ticket, seed)
        assert kept(seen.mask) == kept(mask)
        density = [float(layer.float().mean()) for layer in seen.mask.values()]
        ranks = tuple(sorted(range(3), key=lambda place: density[place]))
        assert max(density) / min(density) == pytest.approx(max(own) / min(own), rel=0.05)
        met.add(ranks)
    assert len(met) == 5, "every order but the layers' own"
    backwards = perturbed("layer_order", ticket, order="reversed")
    assert sorted(range(3), key=lambda place: own[place]) == [1, 0, 2]
    assert [int(layer.sum()) for layer in backwards.mask.values()] == [377, 167, 56]
    assert overlap(mask, backwards.mask) < 0.3


def test_layer_order_fills_a_layer_that_is_too_small() -> None:
    mask = {"small": torch.zeros(2, 5, dtype=torch.bool), "large": torch.ones(10, 10, dtype=torch.bool)}
    seen = perturbed("layer_order", Ticket({name: layer.float() for name, layer in mask.items()}, mask))
    assert {name: int(layer.sum()) for name, layer in seen.mask.items()} == {"small": 10, "large": 90}


def test_layer_order_refuses_what_has_no_order() -> None:
    with pytest.raises(UserError, match="2:4"):
        perturbed("layer_order", replace(nets.ticket(), pattern="2:4"))
    with pytest.raises(UserError, match="single layer"):
        perturbed("layer_order", of(random_mask((3, 4), 0.5)))


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


def counts(mask: Mapping[str, Tensor]) -> list[int]:
    return [int(layer.sum()) for layer in mask.values()]


def test_density_of_takes_the_layer_counts_and_no_position() -> None:
    ticket = nets.ticket(ratio=0.7)
    assert ticket.reference is not None
    assert counts(ticket.reference) != counts(ticket.mask)
    tickets = [perturbed("density_of", ticket, seed) for seed in range(60)]
    assert all(counts(seen.mask) == counts(ticket.reference) for seen in tickets)
    assert not nets.changed(dict(ticket.weights), dict(tickets[0].weights))
    for other in (ticket.mask, ticket.reference):
        mean_overlap = sum(overlap(other, seen.mask) for seen in tickets) / len(tickets)
        assert mean_overlap == pytest.approx(expected_overlap(other, ticket.reference), abs=0.02)


def test_density_of_keeps_the_tickets_own_size() -> None:
    ticket = nets.ticket(ratio=0.7)
    assert ticket.reference is not None
    fewer = dict(ticket.reference)
    first = next(iter(fewer))
    fewer[first] = scattered(fewer[first], int(fewer[first].sum()) - 3, generator(0))
    seen = perturbed("density_of", replace(ticket, reference=fewer))
    assert kept(fewer) == kept(ticket.mask) - 3
    assert kept(seen.mask) == kept(ticket.mask)
    assert max(abs(a - b) for a, b in zip(counts(seen.mask), counts(fewer), strict=True)) <= 2


def test_density_of_without_the_other_mask_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"Ticket\.reference"):
        perturbed("density_of", replace(nets.ticket(), reference=None))


@pytest.mark.parametrize("name", ["snip", "synflow", "magnitude"])
def test_positions_of_ranks_within_the_counts_of_the_other_mask(name: str) -> None:
    net, method = nets.net("shortcut"), methods.get(name, rounds=1)
    reference = allocate(nets.scores(net), 0.7, "erk")
    scores = method.score(net, nets.batches(), generator(0))
    check = checks.get("positions_of")
    mask = check.reallocate(method, reference).mask(net, nets.batches(), 0.7, generator(0))
    for key, layer in reference.items():
        assert torch.equal(mask[key], keep_best(scores[key], int(layer.sum())))


def test_positions_of_itself_changes_nothing() -> None:
    net, method = nets.net("shortcut"), methods.get("synflow", rounds=1)
    mask = method.mask(net, nets.batches(), 0.8, generator(0))
    again = checks.get("positions_of", method="synflow").reallocate(method, mask)
    assert not nets.changed(mask, again.mask(net, nets.batches(), 0.8, generator(0)))


def test_positions_of_several_rounds_ends_at_the_counts_and_revives_nothing() -> None:
    net, method = nets.net("shortcut"), methods.get("synflow", rounds=7)
    reference = allocate(nets.scores(net), 0.9, "erk")
    reallocated = checks.get("positions_of").reallocate(method, reference)
    assert counts(reallocated.mask(net, nets.batches(), 0.9, generator(0))) == counts(reference)
    shapes = {name: tuple(layer.shape) for name, layer in reference.items()}
    rule = CountsOf({name: int(layer.sum()) for name, layer in reference.items()})
    assert reallocated.rule() == rule
    ladder = [list(rule.counts(shapes, ratio).values()) for ratio in method.ratios(0.9)]
    for before, after in pairwise(ladder):
        assert all(later <= earlier for earlier, later in zip(before, after, strict=True))


def test_counts_of_refuses_what_has_no_ranking_or_a_pattern() -> None:
    net, imported = nets.net("shortcut"), methods.get("imported", masks="mask.npz")
    for name in ("density_of", "positions_of"):
        checks.get(name).check_feasible(methods.get("snip"), net)
        with pytest.raises(UserError, match="pattern=2:4"):
            checks.get(name).check_feasible(methods.get("snip", pattern="2:4"), net)
    checks.get("density_of").check_feasible(imported, net)
    with pytest.raises(UserError, match="positions_of: Imported constructs its mask"):
        checks.get("positions_of").check_feasible(imported, net)
    both = checks.get("density_of+positions_of", {"density_of": {"method": "snip"}})
    with pytest.raises(UserError, match="refers to random and snip"):
        both.refers_to()
