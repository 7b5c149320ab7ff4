"""Gem-Miner: its loss, gradient and freezes are the published ones; its mask alone makes the network accurate."""

import pytest
import torch
from torch import Tensor, nn

import methods
from methods.gem_miner import GemMiner
from methods.learnt_mask import learn_on_batches, loss_and_gradients
from sanity.invariants import nets
from sanity.masks import Survivors, kept, prunable, size, ties
from sanity.models import initialise
from sanity.seeds import generator
from sanity.training.job import LearntScores
from sanity.training.learnt_masks import LearntMasks
from tests.methods import golden_values

STORED = golden_values.values("raregems")
FLAGS = {name: flag.bool() for name, flag in golden_values.part(STORED, "flag.").items()}


@pytest.mark.parametrize("forward", ["quantised", "continuous"])
def test_loss_and_gradient_are_those_of_the_official_code(forward: str) -> None:
    net = golden_values.model({**STORED, "model/conv1.bias": torch.zeros(6, dtype=torch.float64)} | STORED)
    with torch.no_grad():
        net.get_parameter("conv1.bias").zero_()
    learn_on_batches(net)
    scores = golden_values.part(STORED, "scores.")
    rule = GemMiner(penalty=0, quantised=forward == "quantised").learning(net, 0.5)
    weights = {name: weight.detach() for name, weight in prunable(net).items()}
    batch = STORED["examples"], STORED["targets"]
    loss, gradients = loss_and_gradients(net, rule, weights, scores, FLAGS, batch)
    torch.testing.assert_close(loss, STORED[f"loss.{forward}"], rtol=1e-12, atol=0)
    published = golden_values.part(STORED, f"grad_scores.{forward}.")
    for name, gradient in gradients.items():
        assert float((gradient - published[name]).norm() / published[name].norm()) < 1e-12


def test_the_penalty_adds_the_gradient_of_the_squares_of_the_scores_that_are_left() -> None:
    rule = GemMiner(penalty=0.3).learning(nn.Linear(2, 2), 0.5)
    scores = {"weight": torch.tensor([[0.1, 0.9], [0.7, 0.4]], requires_grad=True)}
    alive = {"weight": torch.tensor([[True, False], [True, True]])}
    gradients = {"weight": torch.zeros(2, 2)}
    rule.by_scores(gradients, {"weight": torch.ones(2, 2)}, {"weight": scores["weight"].detach()}, alive)
    (expected,) = torch.autograd.grad(0.3 * (scores["weight"] * alive["weight"]).square().sum(), [scores["weight"]])
    torch.testing.assert_close(gradients["weight"], expected)


def test_a_freeze_takes_the_lowest_active_scores_of_all_layers() -> None:
    scores, active = golden_values.part(STORED, "scores."), kept(FLAGS)
    survivors, left = Survivors(scores, FLAGS), active - -(-2 * active // 5)
    survivors.prune_round(scores, 1 - left / size(FLAGS))
    theirs = golden_values.part(STORED, "flag_after.bottom_k.")
    assert not nets.changed(dict(survivors.mask()), {name: flag.bool() for name, flag in theirs.items()})


@pytest.mark.parametrize("percent", ["50", "5", "1.4", "0.59"])
def test_every_freeze_takes_the_published_share_of_what_is_left(percent: str) -> None:
    ratios = GemMiner(epochs=150, period=5).ladder(1 - float(percent) / 100)
    assert len(ratios) == 29
    before = [0.0, *ratios[:-1]]
    shares = [1 - (1 - after) / (1 - earlier) for earlier, after in zip(before, ratios, strict=True)]
    assert shares == pytest.approx([float(STORED[f"prune_rate@{percent}percent_150epochs_period5"])] * 29, rel=1e-9)


@torch.no_grad()
def _accuracy(net: nn.Module, mask: dict[str, Tensor], batches: nets.Batches) -> float:
    masked = {name: weight * mask[name] for name, weight in prunable(net).items()}
    hits = [torch.func.functional_call(net, masked, (x,)).argmax(1) == y for x, y in batches]
    return float(torch.cat(hits).float().mean())


@pytest.mark.parametrize(("epochs", "period"), [(60, 5), (60, 100)])
def test_the_mask_alone_learns_and_keeps_exactly_the_budget(epochs: int, period: int) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(108, 200), nn.ReLU(), nn.Linear(200, 4))
    initialise(net, "signed_constant", generator(0))
    mask = methods.get("gem_miner", epochs=epochs, period=period).mask(net, nets.batches(), 0.8, generator(1))
    assert kept(mask) == round(0.2 * size(mask))
    if period == 5:
        assert _accuracy(net, mask, nets.batches()) == 1.0


def test_ties_of_a_freeze_last_over_a_stop_as_far_as_the_ticket_keeps_them() -> None:
    """Of a hundred equal scores the first freeze keeps some by position; the second, by scores, few of these."""
    method, net = GemMiner(epochs=3), nn.Linear(10, 10)
    learnt = [LearntScores(method.learning(net, 0.75), {"weight": torch.full((10, 10), 0.5)})]
    stopped, continued = (LearntMasks(nn.Linear(10, 10), learnt) for _ in range(2))
    stopped.end_epoch(1)
    first = stopped.mask(0)
    assert ties(first) == kept(first) == 50
    continued.load([stopped.state(0)])
    for masks in (stopped, continued):
        masks.tensors()[0].copy_(torch.linspace(0, 1, 100).view(10, 10))
        masks.end_epoch(2)
        assert ties(masks.mask(0)) == kept(masks.mask(0)) == 25
