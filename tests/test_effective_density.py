"""Which kept weights lie on a path from input to output: nets whose paths can be drawn on paper."""

import copy

import pytest
import torch
from torch import Tensor, nn

from sanity.effective_density import effective_density, live_weights
from sanity.invariants import nets
from sanity.masks import allocate, dense, kept, prunable


def chain() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))


def masks(first: list[list[int]], last: list[list[int]]) -> dict[str, Tensor]:
    return {"1.weight": torch.tensor(first) > 0, "3.weight": torch.tensor(last) > 0}


@pytest.mark.parametrize(
    ("first", "last", "alive"),
    [
        ([[1, 1], [1, 1]], [[1, 1]], 6),
        ([[1, 1], [1, 1]], [[1, 0]], 3),  # what flows into the second unit goes nowhere
        ([[1, 1], [0, 0]], [[1, 1]], 3),  # nothing flows into the second unit
        ([[1, 1], [0, 0]], [[0, 1]], 0),  # and so no path is left
        ([[1, 0], [0, 1]], [[1, 1]], 4),
        ([[0, 0], [0, 0]], [[1, 1]], 0),
    ],
)
def test_only_whole_paths_live(first: list[list[int]], last: list[list[int]], alive: int) -> None:
    mask = masks(first, last)
    live = live_weights(chain(), mask, (1, 1, 2))
    assert kept(live) == alive
    assert not any((live[name] & ~mask[name]).any() for name in mask)
    assert effective_density(chain(), mask, (1, 1, 2)) == alive / 6


@pytest.mark.parametrize("name", [*nets.NETS, *nets.BIAS_FREE])
def test_a_dense_network_lives_entirely(name: str) -> None:
    model = nets.net(name)
    assert effective_density(model, dense(model), (nets.CHANNELS, nets.SIDE, nets.SIDE)) == 1


def test_a_shortcut_is_a_path_of_its_own() -> None:
    model = nets.net("shortcut")
    mask = dense(model)
    mask["3.conv2.weight"] = torch.zeros_like(mask["3.conv2.weight"])
    live = live_weights(model, mask, (3, 6, 6))
    assert not live["3.conv1.weight"].any(), "it leads to nothing but the layer that is gone"
    assert live["3.shortcut.weight"].all()
    assert live["0.weight"].all()


def test_every_pooled_position_counts_not_only_the_largest() -> None:
    """A kernel's corner reaches the output through some position of a max-pooled map."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(1, 1))
    assert effective_density(model, dense(model), (1, 4, 4)) == 1


def test_a_weight_that_meets_only_padding_is_dead() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Flatten(), nn.Linear(1, 1))
    live = live_weights(model, dense(model), (1, 1, 1))
    assert live["0.weight"].flatten().nonzero().flatten().tolist() == [4]


def test_depth_and_width_overflow_nothing() -> None:
    """64^200 paths are more than float64 can count, and infinity times a pruned weight would be no number."""
    model = nn.Sequential(nn.Flatten(), *(nn.Linear(64, 64) for _ in range(200)))
    mask = {name: torch.eye(64, dtype=torch.bool).logical_not() for name in prunable(model)}
    assert effective_density(model, mask, (1, 8, 8)) == 63 / 64


@pytest.mark.parametrize("seed", range(5))
def test_removing_what_is_dead_changes_no_output(seed: int) -> None:
    model = nets.net("free_convolutional", seed)
    mask = allocate(nets.scores(model, seed), 0.95)
    live = live_weights(model, mask, (3, 6, 6))
    assert 0 < kept(live) < kept(mask)
    outputs = []
    for chosen in (mask, live):
        pruned = copy.deepcopy(model)
        with torch.no_grad():
            for name, weight in prunable(pruned).items():
                weight.mul_(chosen[name])
            outputs.append(pruned(nets.batches()[0][0]))
    assert torch.equal(*outputs)


def test_the_model_stays_as_it_was() -> None:
    model = nets.unusual(nets.net("shortcut"))
    before = nets.snapshot(model)
    live_weights(model, dense(model), (3, 6, 6))
    assert not nets.changed(before, nets.snapshot(model))
