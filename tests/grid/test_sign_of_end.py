"""A check that needs the end of dense training: it is trained once, shared, and found again."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sanity.config import from_mapping
from sanity.grid.task import DenseTraining, TicketTraining
from sanity.grid.tasks import tasks
from sanity.run import prepare, run

KEYS: dict[str, Any] = {
    "model": "lenet_300_100", "recipe.epochs": 3, "dataset.limit": 150, "dataset.test_limit": 100, "ratio": 0.9,
    "seeds": 0, "device": "cpu", "checks": "sign_of_end",
}  # fmt: skip
REWOUND = {"partially_trained.scored_at": 1, "partially_trained.rewind": "weights", "partially_trained.rewind_epoch": 1}


@pytest.mark.parametrize("methods", ["snip", "dense,partially_trained"])
def test_the_dense_network_is_trained_once_to_all_moments_that_are_needed(methods: str, tmp_path: Path) -> None:
    keys = {**KEYS, "methods": methods, "results_dir": str(tmp_path)} | (REWOUND if "part" in methods else {})
    frame = run(keys)
    assert (frame["status"] == "done").all()
    experiment, cells = prepare(from_mapping(keys))
    (cell,) = [cell for cell in cells if not cell.check.is_control]
    needed, final = tasks(cell, experiment)
    (dense,) = [task for task in needed if isinstance(task, DenseTraining)]
    assert None in dense.moments
    assert len(dense.moments) == (2 if "part" in methods else 1)
    assert isinstance(final, TicketTraining)
    ticket = final.source.load(experiment)
    assert ticket.end is not None
    for name in ticket.mask:
        assert torch.equal(ticket.weights[name].sign(), ticket.end[name].sign())
    records = sorted(path.parent.name for path in tmp_path.glob("trainings/*/record.json"))
    assert len(records) == 3, "dense, control and checked"
    run(keys)
    assert sorted(path.parent.name for path in tmp_path.glob("trainings/*/record.json")) == records
