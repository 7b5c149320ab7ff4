"""What the checks of the layers' densities keep and destroy, measured."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

import checks
import methods
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.invariants.test_laws_of_mask_checks import of, perturbed, random_mask
from sanity.masks import allocate, expected_overlap, keep_best, kept, overlap, scattered
from sanity.masks.allocation import CountsOf
from sanity.masks.ticket import Ticket
from sanity.seeds import generator


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
    with pytest.raises(UserError, match="positions_of: imported constructs its mask"):
        checks.get("positions_of").check_feasible(imported, net)
    both = checks.get("density_of+positions_of", {"density_of": {"method": "snip"}})
    with pytest.raises(UserError, match="refers to random and snip"):
        both.refers_to()
