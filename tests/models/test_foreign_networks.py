"""Networks of other families: drawn from the run's seed alone, scored by every method, perturbed by every check."""

import random

import numpy as np
import pytest
import torch

from sanity.models import build
from tests.models import foreign

HERE = foreign.__name__
FAMILIES = ["Waves", "Rows", "Attending", "ViT", "Swin", "ConvNeXt", "Tied", "NoStatistics", "Shuffled"]


def state(name: str, seed: int, outside: int, init: str | None = None) -> dict[str, torch.Tensor]:
    torch.manual_seed(outside)
    random.seed(outside)
    np.random.seed(outside)
    generator = torch.Generator().manual_seed(seed)
    return build(f"{HERE}:{name}", (1, 8, 8), 10, init=init, generator=generator).state_dict()


@pytest.mark.parametrize("init", [None, "as_built"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_seed_decides_what_a_network_draws_and_nothing_else(name: str, init: str | None) -> None:
    with torch.random.fork_rng(devices=[]):
        first, second, other = (state(name, *seeds, init) for seeds in [(0, 1), (0, 2), (1, 1)])
    assert all(torch.equal(first[key], second[key]) for key in first)
    constant = {key for key in first if torch.equal(first[key], other[key])}
    assert not [key for key in constant if len(first[key].unique()) > 1 and "relative_position_index" not in key]


def test_the_global_generators_are_spared() -> None:
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    build(f"{HERE}:Shuffled", (1, 8, 8), 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), str(np.random.get_state()))


def test_what_has_a_rule_is_drawn_by_it_and_the_rest_stays_as_built() -> None:
    with torch.random.fork_rng(devices=[]):
        drawn, as_built = state("ViT", 0, 0), state("ViT", 0, 0, "as_built")
    assert torch.equal(drawn["network.encoder.pos_embedding"], as_built["network.encoder.pos_embedding"])
    assert not as_built["network.heads.head.weight"].any()
    assert drawn["network.heads.head.weight"].any()
