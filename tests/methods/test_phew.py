"""PHEW walks with the probabilities of the official code, and keeps what such walks cross."""

import logging

import pytest
import torch
from torch import Tensor, nn

import methods
from methods.walks import stretches
from sanity import models
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import kept, prunable
from sanity.seeds import generator
from tests.methods import golden_values

STORED = golden_values.values("phew")
RUNS = 60


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return golden_values.model(STORED)


def test_probabilities_equal_the_published_ones(net: nn.Module) -> None:
    for stretch in stretches(net, prunable(net)):
        (layer,) = stretch.main
        for key, ours in (("forward", layer.forward), ("backward", layer.backward)):
            torch.testing.assert_close(ours, STORED[f"{key}_probability.{layer.name}"], rtol=1e-12, atol=1e-15)
        if layer.kernel.shape[2] > 1:
            kernels = STORED[f"kernel_probability.{layer.name}"].flatten(2)
            torch.testing.assert_close(layer.kernel, kernels, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("percent", [90, 70])
def test_weights_are_kept_as_often_as_by_the_published_code(net: nn.Module, percent: int) -> None:
    """By chance, of course: every weight within five deviations of its frequency, layers' counts within four."""
    masks = [methods.get("phew").mask(net, [], percent / 100, generator(seed)) for seed in range(RUNS)]
    theirs = golden_values.part(STORED, f"frequency@{percent}.")
    runs = int(STORED[f"runs@{percent}"])
    for name, often in theirs.items():
        ours = torch.stack([mask[name] for mask in masks]).double().mean(0)
        pooled = ((ours * RUNS + often * runs) / (RUNS + runs)).clamp(0.5 / RUNS, 1 - 0.5 / RUNS)
        deviation = (pooled * (1 - pooled) * (1 / RUNS + 1 / runs)).sqrt()
        assert ((ours - often).abs() < 5 * deviation).all()
    layers = torch.tensor([[int(layer.sum()) for layer in mask.values()] for mask in masks]).double()
    counts = STORED[f"kept_per_layer@{percent}"].double()
    spread = (layers.var(0) / RUNS + counts.var(0) / len(counts)).sqrt()
    assert ((layers.mean(0) - counts.mean(0)).abs() < 4 * spread + 1).all(), "theirs keeps up to two weights more"


def test_walks_are_whole_paths(net: nn.Module) -> None:
    """Every unit that a kept weight leads to has a kept weight that leads on, but for the walk that was cut."""
    mask = methods.get("phew").mask(net, [], 0.9, generator(0))
    into, out = mask["conv1.weight"].flatten(1).any(1), mask["conv2.weight"].flatten(2).any(2).any(0)
    assert (into ^ out).sum() <= 1


def test_a_projection_shortcut_is_taken_by_half_of_the_walks_and_every_layer_is_met() -> None:
    model = models.build("resnet20", (3, 8, 8), 4, generator=generator(0))
    path = stretches(model, prunable(model))
    names = [layer.name for stretch in path for layer in (*stretch.main, stretch.shortcut) if layer is not None]
    assert sorted(names) == sorted(prunable(model))
    assert [len(stretch.main) for stretch in path if stretch.shortcut is not None] == [2, 2]
    mask = methods.get("phew").mask(model, [], 0.9, generator(0))
    assert all(layer.any() for layer in mask.values())


def test_what_no_walk_can_meet_is_filled_up_and_said(caplog: pytest.LogCaptureFixture) -> None:
    model = nets.net("perceptron")
    with torch.no_grad():
        model.get_parameter("1.weight")[:, :100] = 0
    with caplog.at_level(logging.WARNING, logger="sanity"):
        mask = methods.get("phew", most_walks=3000).mask(model, [], 0.1, generator(0))
    assert kept(mask) == round(0.9 * 984)
    assert "kept weights were met by no walk; the largest were taken" in caplog.text


def test_large_weights_are_met_first_whatever_their_sign() -> None:
    model, flipped = nets.net("batch_norm"), nets.net("batch_norm")
    with torch.no_grad():
        for weight in prunable(flipped).values():
            weight.neg_()
    masks = [methods.get("phew").mask(each, [], 0.8, generator(0)) for each in (model, flipped)]
    assert not nets.changed(dict(masks[0]), dict(masks[1]))
    sizes, chosen = prunable(model)["3.weight"].detach().abs(), masks[0]["3.weight"]
    assert sizes[chosen].mean() > 1.2 * sizes[~chosen].mean()


def test_a_network_that_cannot_be_followed_is_refused() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(108, 6), nn.Linear(6, nets.CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(x.flatten(1)).roll(1, 1))

    with pytest.raises(UserError, match=r"phew: the wiring of this network is not understood"):
        methods.get("phew").mask(Odd(), [], 0.5)
