"""Edge-popup: its gradient and mask are the published ones, and what it learns is where weights lie."""

import pytest
import torch
from torch import Tensor, nn

import methods
from checks.layerwise_rearrange import LayerwiseRearrange
from methods.edge_popup import EdgePopup
from methods.learnt_mask import learn_on_batches, loss_and_gradients
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import kept, layers, prunable
from sanity.masks.allocation import CountsOf
from sanity.masks.ticket import Ticket
from sanity.models import initialise
from sanity.seeds import generator
from tests.methods import golden_values

STORED = golden_values.values("hidden")


@pytest.mark.parametrize("density", [0.5, 0.1])
def test_mask_loss_and_gradient_are_those_of_the_official_code(density: float) -> None:
    net = golden_values.model(STORED)
    learn_on_batches(net)
    scores = golden_values.part(STORED, "scores.")
    sizes = {name: score.numel() for name, score in scores.items()}
    counts = {name: size - int((1 - density) * size) for name, size in sizes.items()}
    method = EdgePopup().allocated(CountsOf(counts))
    ratio = 1 - sum(counts.values()) / sum(sizes.values())
    mask = method.chosen(scores, ratio)
    theirs = golden_values.part(STORED, f"mask@{density}.")
    assert not nets.changed(mask, {name: layer.bool() for name, layer in theirs.items()})
    weights = {name: weight.detach() for name, weight in prunable(net).items()}
    batch = STORED["examples"], STORED["targets"]
    loss, gradients = loss_and_gradients(net, method.learning(net, ratio), weights, scores, {}, batch)
    torch.testing.assert_close(loss, STORED[f"loss@{density}"], rtol=1e-12, atol=0)
    published = golden_values.part(STORED, f"grad_scores@{density}.")
    for name, gradient in gradients.items():
        assert float((gradient - published[name]).norm() / published[name].norm()) < 1e-12


def _learning(rank: str = "magnitude", epochs: int = 40) -> tuple[nn.Module, nets.Batches, EdgePopup]:
    """A wide network without batch norm, and two batches that it can fit by its mask alone."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(108, 200), nn.ReLU(), nn.Linear(200, 4))
    initialise(net, "signed_constant", generator(0))
    method = methods.get("edge_popup", epochs=epochs, rank=rank, learning_rate=0.5)
    assert isinstance(method, EdgePopup)
    return net, nets.batches(), method


@torch.no_grad()
def _accuracy(net: nn.Module, mask: dict[str, Tensor], batches: nets.Batches) -> float:
    masked = {name: weight * mask[name] for name, weight in prunable(net).items()}
    hits = [torch.func.functional_call(net, masked, (x,)).argmax(1) == y for x, y in batches]
    return float(torch.cat(hits).float().mean())


@pytest.mark.parametrize("rank", ["magnitude", "value"])
def test_the_mask_alone_learns_and_its_positions_are_what_it_learnt(rank: str) -> None:
    net, batches, method = _learning(rank)
    mask = method.mask(net, batches, 0.5, generator(1))
    assert _accuracy(net, mask, batches) == 1.0
    moved = LayerwiseRearrange().perturb(Ticket(net.state_dict(), mask), generator(2)).mask
    assert _accuracy(net, dict(moved), batches) < 0.8
    assert kept(mask) == round(0.5 * sum(weight.numel() for weight in prunable(net).values()))


def test_each_layer_keeps_its_share_or_all_layers_are_ranked_together() -> None:
    net, batches, method = _learning(epochs=1)
    assert {layer["kept"] / layer["weights"] for layer in layers(method.mask(net, batches, 0.9)).values()} == {0.1}
    together = methods.get("edge_popup", epochs=1, allocation="global").mask(net, batches, 0.9)
    assert len({layer["kept"] / layer["weights"] for layer in layers(together).values()}) == 2


def test_a_learning_rate_that_explodes_is_named() -> None:
    net, batches, _ = _learning()
    with torch.no_grad():
        prunable(net)["1.weight"][0, 0] = torch.inf
    with pytest.raises(UserError, match="not finite in epoch 1"):
        methods.get("edge_popup", epochs=2).mask(net, batches, 0.5)
