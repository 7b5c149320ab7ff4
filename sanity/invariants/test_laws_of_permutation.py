"""permute_neurons moves units and nothing else: outputs and gradients are the same, unit for unit."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import checks
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import allocate, kept
from sanity.masks.ticket import Ticket
from sanity.models import build, vgg
from sanity.seeds import generator

ROUNDING = 1e-9
NETWORKS = [*nets.NETS, "lenet5", "vgg11", "resnet8"]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law is of the wiring, which a VGG of few channels shares."""
    monkeypatch.setattr(vgg, "WIDTHS", (8, 12, 16, 20, 20))


def ticket(name: str) -> Ticket:
    """A ticket in float64 at a ratio of 0.5, whose biases, scales and statistics are all drawn."""
    shape = (nets.CHANNELS, nets.SIDE, nets.SIDE)
    if name in nets.NETS:
        model = nets.net(name, double=True)
    else:
        model = build(name, shape, nets.CLASSES, generator=generator(0, "init")).double()
        with torch.no_grad():
            for tensor in model.state_dict().values():
                if tensor.dim() == 1:
                    tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator(1), dtype=torch.float64))
    return Ticket(model.state_dict(), allocate(nets.scores(model), 0.5), network=model)


def permuted(before: Ticket, seed: int = 0) -> Ticket:
    return checks.get("permute_neurons").perturb(before, generator(seed, "check"))


def loaded(drawn: Ticket, training: bool) -> nn.Module:
    assert drawn.network is not None
    network = copy.deepcopy(drawn.network).train(training)
    network.load_state_dict(drawn.start())
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network


@torch.no_grad()
def apart(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max() / first.abs().max())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
def test_permuted_units_compute_the_same_outputs_and_losses_fall_alike(name: str, training: bool) -> None:
    before = ticket(name)
    after = permuted(before)
    examples, targets = nets.batches(double=True)[0]
    steps = []
    outputs = []
    for drawn in (before, after):
        network = loaded(drawn, training)
        output = network(examples)
        loss = nn.functional.cross_entropy(output, targets)
        gradients = torch.autograd.grad(loss, [dict(network.named_parameters())[name] for name in drawn.mask])
        kept_parts = [
            gradient[layer].square().sum() for gradient, layer in zip(gradients, drawn.mask.values(), strict=True)
        ]
        outputs.append(output.detach())
        steps.append(torch.stack(kept_parts))
    assert apart(*outputs) < ROUNDING
    assert apart(*steps) < ROUNDING, "the gradients of the kept weights are not those of the same units"


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "vgg11"])
def test_every_hidden_unit_may_move_and_weights_take_their_mask_along(name: str) -> None:
    before = ticket(name)
    after = permuted(before)
    assert kept(after.mask) == kept(before.mask)
    for layer, mask in before.mask.items():
        assert not torch.equal(after.mask[layer], mask), f"{layer}: no unit moved"
        whole, masked = (
            [values[layer].flatten().sort().values for values in (each.weights, each.start())]
            for each in (before, after)
        )
        assert torch.equal(whole[0], masked[0]), f"{layer}: another multiset of weights"
        assert torch.equal(whole[1], masked[1]), f"{layer}: weights and mask went apart"


def test_permuting_one_side_alone_is_another_function() -> None:
    before = ticket("resnet8")
    after = permuted(before)
    examples, _ = nets.batches(double=True)[0]
    half = replace(after, weights={**after.weights, "conv1.weight": before.weights["conv1.weight"]},
                   mask={**after.mask, "conv1.weight": before.mask["conv1.weight"]})  # fmt: skip
    assert apart(loaded(before, False)(examples), loaded(half, False)(examples)) > 1e-3


def test_a_ticket_without_its_network_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"Ticket\.network"):
        permuted(replace(ticket("perceptron"), network=None))
