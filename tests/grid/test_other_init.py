"""A mask that is found on another initialisation: what changes, what is shared, and what is retrained."""

from pathlib import Path
from typing import Any

import pytest
import torch

import checks
import methods
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid import stored
from sanity.grid.experiment import Experiment
from sanity.grid.task import DenseTraining, TicketTraining
from sanity.grid.tasks import control_ticket, tasks
from sanity.invariants import nets
from sanity.run import prepare, run

KEYS: dict[str, Any] = {
    "model": "lenet_300_100", "recipe.epochs": 2, "dataset.limit": 150, "dataset.test_limit": 100, "ratio": 0.9,
    "seeds": 0, "device": "cpu", "checks": "other_init", "deterministic": True,
}  # fmt: skip


def trained(keys: dict[str, Any], folder: Path) -> tuple[Experiment, dict[str, Any]]:
    """The experiment, and the checked cell by its method's label."""
    frame = run({**KEYS, **keys, "results_dir": str(folder)})
    assert (frame["status"] == "done").all()
    experiment, cells = prepare(from_mapping({**KEYS, **keys, "results_dir": str(folder)}))
    return experiment, {cell.method.label: cell for cell in cells if not cell.check.is_control}


def test_masks_differ_where_the_method_looks_at_weights_and_the_retrained_weights_are_the_controls(
    tmp_path: Path,
) -> None:
    experiment, cells = trained({"methods": "magnitude,snip,random"}, tmp_path)
    for name, cell in cells.items():
        _, final = tasks(cell, experiment)
        assert isinstance(final, TicketTraining)
        checked, control = final.source.load(experiment), control_ticket(cell, experiment).load(experiment)
        assert all(torch.equal(checked.weights[key], control.weights[key]) for key in control.weights)
        same = all(torch.equal(checked.mask[key], control.mask[key]) for key in control.mask)
        assert same == (name == "random"), name


@pytest.mark.parametrize("rewind", [{"rewind": "weights", "rewind_epoch": 1}, {"rewind": "learning_rate"}])
def test_a_method_of_dense_training_trains_the_other_initialisation_too(rewind: dict[str, Any], tmp_path: Path) -> None:
    options = {f"partially_trained.{name}": value for name, value in rewind.items()}
    experiment, cells = trained({"methods": "partially_trained", **options}, tmp_path)
    (cell,) = cells.values()
    needed, final = tasks(cell, experiment)
    dense = [task for task in needed if isinstance(task, DenseTraining)]
    assert len({task.key for task in dense}) == 2, "the usual one and the other"
    starts = [task.source.load(experiment).weights for task in dense]
    weight = next(name for name in starts[0] if name.endswith("weight"))
    assert not torch.equal(starts[0][weight], starts[1][weight])
    assert isinstance(final, TicketTraining)
    usual = next(task for task in dense if task.drawn_by.is_control)
    assert final.source.weights.training == usual.key, "what is retrained comes from the usual one"
    assert all(task.is_done(experiment) for task in needed)
    assert stored.search_record(experiment, final.source.mask) is not None


def test_a_mask_from_a_file_is_refused() -> None:
    with pytest.raises(UserError, match="other_init: the mask comes from a file"):
        checks.get("other_init").check_feasible(methods.get("imported"), nets.net("perceptron"))


def test_rounds_of_training_and_pruning_stay_on_the_other_initialisation(tmp_path: Path) -> None:
    keys = {"methods": "partially_trained", "partially_trained.rewind": "weights", "partially_trained.rounds": 2}
    experiment, cells = trained(keys, tmp_path)
    (cell,) = cells.values()
    needed, final = tasks(cell, experiment)
    rounds = [task for task in needed if isinstance(task, TicketTraining)]
    assert sorted(task.source.weights.drawn_by.is_control for task in rounds) == [False, True]
    assert isinstance(final, TicketTraining)
    assert final.source.weights.drawn_by.is_control
    assert type(final.source).from_dict(rounds[0].source.as_dict()) == rounds[0].source


def test_beside_random_labels_the_usual_weights_are_those_found_on_random_labels(tmp_path: Path) -> None:
    keys = {"methods": "partially_trained", "checks": "random_labels+other_init"}
    experiment, cells = trained(keys, tmp_path)
    (cell,) = cells.values()
    _, final = tasks(cell, experiment)
    assert isinstance(final, TicketTraining)
    assert final.source.weights.drawn_by.is_control
    assert final.source.weights.data.label == "random_labels"
