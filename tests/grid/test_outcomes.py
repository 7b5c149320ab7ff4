"""What records say beside the accuracy after training: before it, right after pruning, and after every round."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from sanity.cli.request import requested
from sanity.grid import stored
from sanity.grid.outcomes import before_training
from sanity.grid.task import TicketTraining
from sanity.grid.tasks import tasks
from sanity.run import prepare, run
from sanity.store.records import load_records
from sanity.training.evaluation import accuracy

Records = dict[tuple[str, str], dict[Any, Any]]
KEYS: dict[str, Any] = {
    "methods": "partially_trained,snip,dense", "checks": "layerwise_rearrange,reinit", "ratio": 0.9, "seeds": 0,
    "partially_trained.rounds": 2, "partially_trained.rewind": "fine_tune", "recipe.schedule": "constant",
    "model": "lenet_300_100", "recipe.epochs": 2, "dataset.limit": 200, "dataset.test_limit": 100,
    "device": "cpu", "precision": "fp32",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    run({**KEYS, "results_dir": root})
    return root


@pytest.fixture(scope="module")
def records(folder: Path) -> Records:
    return {(row["method"], row["check"]): row for row in load_records(folder).to_dict("records")}


TRAINED = "partially_trained[rounds=2,rewind=fine_tune]"


def test_the_accuracy_after_training_is_that_of_the_stored_weights(folder: Path) -> None:
    """The same pass as in the training loop: a ticket that starts from final weights starts at their accuracy."""
    (config,) = requested({**KEYS, "results_dir": folder}).configs
    experiment, cells = prepare(config)
    for cell in cells:
        _, final = tasks(cell, experiment)
        if isinstance(final, TicketTraining):
            key = final.key_in(experiment)
            last = experiment.store.record(key)
            assert last is not None
            net = experiment.loaded(stored.weights(experiment, key, None))

            again = accuracy(net, experiment.test, experiment.recipe_for_loop, torch.device("cpu"), "fp32")
            assert again == pytest.approx(last["last_test_accuracy"], abs=1e-9)


def test_a_fine_tuned_ticket_starts_where_pruning_left_it(records: Records) -> None:
    control = records[(TRAINED, "none")]
    assert control["start_test_accuracy"] == control["pruned_test_accuracy"]
    assert 0 <= control["start_test_accuracy"] <= 100


def test_new_weights_change_the_start_and_not_what_pruning_left(records: Records) -> None:
    redrawn, control = records[(TRAINED, "reinit")], records[(TRAINED, "none")]
    assert redrawn["pruned_test_accuracy"] == control["pruned_test_accuracy"]
    assert redrawn["start_test_accuracy"] != redrawn["pruned_test_accuracy"]


def test_every_round_of_training_and_pruning_has_its_accuracy(records: Records) -> None:
    rounds = records[(TRAINED, "none")]["round_test_accuracies"]
    assert len(rounds) == 2
    assert rounds[0] == records[("dense", "none")]["last_test_accuracy"]


def test_a_method_at_initialisation_has_a_start_and_neither_pruned_weights_nor_rounds(records: Records) -> None:
    snip = records[("snip", "none")]
    assert snip["round_test_accuracies"] is None
    assert pd.isna(snip["pruned_test_accuracy"])
    assert 0 <= snip["start_test_accuracy"] <= 100


def test_measuring_draws_no_random_number(folder: Path) -> None:
    (config,) = requested({**KEYS, "results_dir": folder}).configs
    experiment, cells = prepare(config)
    before = torch.random.get_rng_state()
    before_training(cells[0], tasks(cells[0], experiment)[1].source, experiment)
    assert torch.equal(before, torch.random.get_rng_state())
