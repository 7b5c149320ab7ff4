"""VGG-16 without hidden linear layers and with: both are pruned by a run and train a step under their masks."""

from pathlib import Path

import pytest
from torch import nn

from sanity.config import from_mapping
from sanity.grid import stored
from sanity.grid.task import TicketTraining
from sanity.grid.tasks import tasks
from sanity.run import prepare, run


@pytest.mark.parametrize(("hidden", "linear"), [("", [512]), ("64,32", [512, 64, 32])])
def test_both_train_a_step_under_their_mask(hidden: str, linear: list[int], tmp_path: Path) -> None:
    keys = {
        "model": "vgg16", "model.hidden": hidden, "methods": "magnitude", "checks": "none", "ratio": 0.9, "seeds": 0,
        "recipe.epochs": 1, "recipe.batch_size": 20, "dataset.limit": 20, "dataset.test_limit": 20, "device": "cpu",
        "results_dir": str(tmp_path),
    }  # fmt: skip
    (row,) = run(keys).to_dict("records")
    assert (row["status"], len(row["curve"])) == ("done", 1)
    assert row["kept"] == round(0.1 * row["prunable"])

    experiment, (cell,) = prepare(from_mapping(keys))
    net = experiment.initial(0)
    assert [layer.in_features for layer in net.modules() if isinstance(layer, nn.Linear)] == linear
    assert sum(isinstance(layer, nn.Conv2d) for layer in net.modules()) == 13
    assert experiment.steps(cell.check, 0) == 1
    training = tasks(cell, experiment)[1]
    assert isinstance(training, TicketTraining)
    ticket = training.source.load(experiment)
    trained = stored.weights(experiment, training.key_in(experiment), None)
    for name, layer in ticket.mask.items():
        assert not trained[name][~layer].any()
        assert (trained[name] != ticket.weights[name])[layer].any()
