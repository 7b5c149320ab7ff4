"""Frozen tickets: pruned weights stay where they start, whatever the optimizer, and the kept ones are trained."""

import copy
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import checks
from sanity.invariants import nets
from sanity.masks.ticket import Ticket
from sanity.recipes import Recipe
from sanity.seeds import generator
from sanity.training.callbacks import Callbacks
from sanity.training.compute import Compute
from sanity.training.job import TrainingSpec
from sanity.training.loop import Interrupted, train

RECIPE = Recipe(epochs=2, batch_size=16, lr=0.05, momentum=0.9, weight_decay=5e-3)
EXACT = Compute("cpu", deterministic=True)


def frozen(ratio: float = 0.7, name: str = "shortcut", seed: int = 0) -> Ticket:
    return checks.get("freeze").perturb(nets.ticket(ratio, seed, name), generator(0))


def spec(ticket: Ticket, name: str = "shortcut", folder: Path | None = None) -> TrainingSpec:
    model = nets.net(name)
    model.load_state_dict(ticket.start())
    return TrainingSpec(model, ticket.mask, seed=0, directory=folder, frozen=ticket.frozen)


def test_freezing_changes_the_start_of_pruned_weights_alone_and_the_digest() -> None:
    before, after = nets.ticket(0.7), frozen()
    assert not nets.changed(dict(before.mask), dict(after.mask))
    assert not nets.changed(dict(before.weights), after.start()), "it starts from all weights"
    for name, mask in before.mask.items():
        assert torch.equal(before.start()[name][mask], after.start()[name][mask])
    assert before.digest() != after.digest()


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adadelta"])
def test_frozen_weights_stay_and_kept_ones_train(optimizer: str) -> None:
    ticket = frozen()
    recipe = RECIPE.__class__(**{**vars(RECIPE), "optimizer": optimizer, "lr": 0.01})
    (trained,) = train([spec(ticket)], nets.dataset(), nets.dataset(seed=1), recipe, Compute("cpu"))
    for name, mask in ticket.mask.items():
        assert torch.equal(trained.weights[name][~mask], ticket.weights[name][~mask]), f"{name}: frozen weights moved"
        assert not torch.any(trained.weights[name][mask] == ticket.weights[name][mask])


def test_a_step_is_that_of_the_masked_gradient_of_the_whole_network() -> None:
    """w * mask + w0 * (1 - mask) after one step of plain SGD on one batch, computed by hand."""
    ticket, data = frozen(name="perceptron"), nets.dataset(16)
    recipe = Recipe(epochs=1, batch_size=16, lr=0.1, momentum=0.0, weight_decay=0.0, crop_padding=0, flip=False)
    job = spec(ticket, "perceptron")
    by_hand = copy.deepcopy(job.model).train()
    F.cross_entropy(by_hand(data.normalise(data.pixels)), data.targets).backward()
    (trained,) = train([job], data, data, recipe, Compute("cpu", "fp32"))
    rate = trained.curve[0]["learning_rate"]
    for name, parameter in by_hand.named_parameters():
        assert parameter.grad is not None
        mask = ticket.mask.get(name, torch.ones_like(parameter, dtype=torch.bool))
        expected = parameter.detach() - rate * parameter.grad * mask
        assert torch.allclose(trained.weights[name], expected, atol=1e-6), name


def test_frozen_and_other_tickets_train_together_as_each_does_alone() -> None:
    """A perceptron's trainings are stacked; one with frozen weights is not, and changes none of the others."""
    tickets = [nets.ticket(0.9, seed, "perceptron") for seed in range(2)] + [frozen(0.9, "perceptron", seed=2)]
    jobs = [spec(ticket, "perceptron") for ticket in tickets]
    data = nets.dataset()
    together = train(jobs, data, data, RECIPE, EXACT)
    for job, result in zip(jobs, together, strict=True):
        (alone,) = train([job], data, data, RECIPE, EXACT)
        for name, weight in alone.weights.items():
            assert torch.allclose(weight, result.weights[name], atol=1e-5)


def test_an_interrupted_training_goes_on_with_its_weights_frozen(tmp_path: Path) -> None:
    ticket, data, calls = frozen(), nets.dataset(), [0]

    def soon() -> bool:
        calls[0] += 1
        return calls[0] > 3

    with pytest.raises(Interrupted):
        train([spec(ticket, folder=tmp_path)], data, data, RECIPE, EXACT, Callbacks(stop=soon))
    (resumed,) = train([spec(ticket, folder=tmp_path)], data, data, RECIPE, EXACT)
    (whole,) = train([spec(ticket)], data, data, RECIPE, EXACT)
    assert resumed.resumed_from is not None
    assert not nets.changed(whole.weights, resumed.weights)
