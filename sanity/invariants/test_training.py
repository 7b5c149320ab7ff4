"""Every method: what it prunes is exactly zero after training, whatever momentum and weight decay would do."""

import copy

import pytest
import torch

from methods.base import Method
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.invariants.test_scores import few_rounds
from sanity.masks.ticket import Ticket
from sanity.recipes import Recipe
from sanity.seeds import generator
from sanity.training.compute import Compute
from sanity.training.loop import TrainingSpec, train

RECIPE = Recipe(epochs=2, batch_size=16, lr=0.1, momentum=0.9, weight_decay=5e-3)


def ticket(method: Method) -> Ticket:
    """A ticket of the network with shortcut and batch norm, half of whose weights are pruned at most."""
    model = nets.net("shortcut")
    try:
        mask = method.mask(model, nets.batches(), 0.5, generator(0))
    except UserError:
        pytest.skip("its allocation has no use for so small a network")
    return Ticket(model.state_dict(), mask)


def test_pruned_weights_are_zero_after_training_with_momentum_and_weight_decay(preset: Method) -> None:
    sparse = ticket(few_rounds(preset))
    model = nets.net("shortcut")  # its pruned weights still hold their values, and training must not bring them back
    before = copy.deepcopy(model.state_dict())
    recipe = RECIPE.__class__(**{**vars(RECIPE), "nesterov": True})
    (trained,) = train(
        [TrainingSpec(model, sparse.mask, seed=0)], nets.dataset(), nets.dataset(seed=1), recipe, Compute("cpu")
    )
    assert trained.diverged_epoch is None
    for name, mask in sparse.mask.items():
        assert torch.all(trained.weights[name][~mask] == 0), f"pruned weights of {name} came back"
        assert not torch.any(trained.weights[name][mask] == before[name][mask]), f"kept weights of {name} did not train"
    assert not nets.changed(before, dict(model.state_dict())), "training changed the network that it was given"


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adadelta"])  # sgd: without Nesterov's momentum
def test_no_optimizer_revives_a_weight(optimizer: str) -> None:
    sparse = nets.ticket(ratio=0.7)
    recipe = RECIPE.__class__(**{**vars(RECIPE), "optimizer": optimizer, "lr": 0.01})
    (trained,) = train(
        [TrainingSpec(nets.net("shortcut"), sparse.mask, seed=0)],
        nets.dataset(),
        nets.dataset(),
        recipe,
        Compute("cpu"),
    )
    assert all(torch.all(trained.weights[name][~mask] == 0) for name, mask in sparse.mask.items())
