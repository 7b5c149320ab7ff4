"""ProsPr is that of the official code, first and second order."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import methods
from methods.prospr import ProsPr
from sanity.invariants import nets
from sanity.masks import allocate, prunable
from tests.methods import golden_values

STORED = golden_values.values("prospr")
FOUR = list(zip(STORED["examples"].split(8), STORED["targets"].split(8), strict=True))


@pytest.fixture
def net() -> nn.Module:
    return golden_values.model(STORED)


@pytest.mark.parametrize(
    ("key", "options", "batches"),
    [
        ("full", {}, 4),
        ("first_order", {"first_order": True}, 4),
        ("full_no_momentum", {"momentum": 0.0}, 4),
        ("full_1step", {"steps": 1}, 4),
        ("full_small_lr", {"inner_lr": 0.05}, 4),
        ("full_same_batch", {"inner_lr": 0.1}, 1),
    ],
)
def test_scores_equal_the_published_ones(net: nn.Module, key: str, options: dict[str, Any], batches: int) -> None:
    ours = methods.get("prospr", **options).score(net, FOUR[:batches])
    for name, theirs in golden_values.part(STORED, f"score.{key}.").items():
        assert (ours[name] - theirs).norm() <= 1e-9 * theirs.norm()


@pytest.mark.parametrize("key", ["full", "first_order"])
def test_masks_equal_the_published_ones(net: nn.Module, key: str) -> None:
    ours = methods.get("prospr", first_order=key == "first_order", counts="removed_floored").mask(net, FOUR, 0.9)
    theirs = {name: mask.bool() for name, mask in golden_values.part(STORED, f"mask.{key}@0.9.").items()}
    assert not nets.changed(dict(ours), theirs)


def test_it_is_the_slope_of_the_loss_after_training_by_a_mask_entry() -> None:
    """By finite differences, without momentum, whose first velocity the published code takes for a constant."""
    model, batches = nets.net("convolutional", double=True), nets.batches(double=True)
    method = ProsPr(steps=2, momentum=0.0, inner_lr=0.3)
    scores = method.score(model, batches)["3.weight"].flatten()
    weight = prunable(model)["3.weight"]
    for index in range(0, weight.numel(), 97):
        losses = [_after_training(method, model, batches, index, step) for step in (1e-5, -1e-5)]
        assert float(scores[index]) == pytest.approx(abs(losses[0] - losses[1]) / 2e-5, rel=1e-3, abs=1e-7)


def _after_training(method: ProsPr, model: nn.Module, batches: nets.Batches, index: int, step: float) -> float:
    moved = nets.net("convolutional", double=True)
    moved.load_state_dict(model.state_dict())
    with torch.no_grad():
        moved.get_parameter("3.weight").view(-1)[index] *= 1 + step
    optimizer = torch.optim.SGD(moved.parameters(), lr=method.inner_lr)

    def loss(number: int) -> Tensor:
        examples, targets = batches[number % len(batches)]
        return nn.functional.cross_entropy(moved(examples), targets)

    for number in range(method.steps):
        optimizer.zero_grad()
        loss(number).backward()
        optimizer.step()
    return float(loss(method.steps).detach())


def test_a_rate_near_zero_is_snip_on_the_last_batch(net: nn.Module) -> None:
    late = methods.get("prospr", inner_lr=1e-12).score(net, FOUR)
    for name, score in methods.get("snip").score(net, FOUR[3:]).items():
        torch.testing.assert_close(late[name], score, rtol=1e-6, atol=1e-12)


def test_in_rounds_pruned_weights_stay_zero_while_it_steps() -> None:
    """Of the last linear layer, whose pruned inputs would learn in the first step and change what the others score."""
    model, batches = nets.net("perceptron", double=True), nets.batches(double=True)
    alive = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in prunable(model).items()}
    alive["3.weight"][:, 5:] = False
    narrow = nets.net("perceptron", double=True)
    first, second, last = nn.Linear(108, 5), nn.Linear(5, 10), narrow.get_submodule("5")
    small = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), last).double()
    with torch.no_grad():
        first.weight.copy_(narrow.get_parameter("1.weight")[:5])
        first.bias.copy_(narrow.get_parameter("1.bias")[:5])
        second.weight.copy_(narrow.get_parameter("3.weight")[:, :5])
        second.bias.copy_(narrow.get_parameter("3.bias"))
    scores = methods.get("prospr").score(small, batches)
    kept = methods.get("prospr").prune(model, batches, 0.9, torch.Generator(), alive)
    by_small = allocate(scores, 1 - 98 / sum(score.numel() for score in scores.values()))
    assert torch.equal(kept["5.weight"], by_small["5.weight"])
    assert torch.equal(kept["3.weight"][:, :5], by_small["3.weight"])
