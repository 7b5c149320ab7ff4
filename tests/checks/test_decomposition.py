"""The levels of a decomposition are nested: each keeps what the one before keeps, and one thing more."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import checks
from sanity import masks
from sanity.config import from_mapping
from sanity.config.decomposition import FAMILY, LEVELS, expanded
from sanity.errors import UserError
from sanity.grid.cells import cells
from sanity.masks.ticket import Ticket
from sanity.seeds import derive, generator

SHAPES = {"0.weight": (12, 10), "2.weight": (6, 12)}


def ticket() -> Ticket:
    source = generator(0, "ticket")
    mask = {name: torch.rand(shape, generator=source) < 0.4 for name, shape in SHAPES.items()}

    def fresh(source: torch.Generator) -> dict[str, Tensor]:
        return {name: torch.randn(shape, generator=derive(source, name)) for name, shape in SHAPES.items()}

    return Ticket(fresh(generator(0, "init")), mask, fresh=fresh)


Kept = Callable[[Ticket], object]


def counts(of: Ticket) -> object:
    return masks.layers(of.mask)


def degrees(of: Ticket) -> object:
    return [(layer.sum(0).tolist(), layer.sum(1).tolist()) for layer in of.mask.values()]


def edges(of: Ticket) -> object:
    return [layer.tolist() for layer in of.mask.values()]


def signs(of: Ticket) -> object:
    return [weight.sign().tolist() for weight in of.start().values()]


def values(of: Ticket) -> object:
    return [weight.tolist() for weight in of.start().values()]


KEPT: tuple[Kept, ...] = (counts, degrees, edges, signs, values)


@pytest.mark.parametrize("place", range(len(LEVELS)))
def test_a_level_keeps_all_up_to_itself_and_nothing_beyond(place: int) -> None:
    original = ticket()
    perturbed = checks.get(LEVELS[place].check).perturb(original, generator(0, "check"))
    same = [kept(perturbed) == kept(original) for kept in KEPT]
    assert same == [level <= place for level in range(len(LEVELS))]


@pytest.mark.parametrize(
    ("entry", "says"), [("decompos", "Did you mean 'decompose'?"), ("rewire+decompose", "composed with no other")]
)
def test_a_decomposition_that_is_named_wrongly_is_one_line(entry: str, says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)):
        cells(from_mapping({"methods": "snip", "checks": entry}))


def test_levels_that_were_named_already_come_once() -> None:
    assert expanded(["invert", "reinit"]) == ["invert", "reinit"]
    assert expanded(["reinit", FAMILY, "invert"]) == [
        "reinit", "layerwise_rearrange+reinit", "rewire+reinit", "signed_reinit", "invert"
    ]  # fmt: skip
