"""Early-bird tickets in the grid: dense training stops where the mask has settled, and the record says when."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid.tasks import tasks
from sanity.run import prepare, run

KEYS: dict[str, Any] = {
    "model": "lenet_300_100", "recipe.epochs": 6, "dataset.limit": 150, "dataset.test_limit": 100, "ratio": 0.5,
    "seeds": 0, "device": "cpu", "methods": "early_bird", "early_bird.pattern": "unstructured", "early_bird.window": 3,
    "early_bird.distance": 0.3, "checks": "none",
}  # fmt: skip


def moments(root: Path) -> dict[str, list[str]]:
    """The snapshots of every training that has any."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.glob("trainings/*/at_*it.safetensors")):
        found.setdefault(path.parent.name, []).append(path.name)
    return found


def test_dense_training_stops_in_the_epoch_in_which_the_mask_has_settled(tmp_path: Path) -> None:
    (row,) = run({**KEYS, "results_dir": str(tmp_path)}).to_dict("records")
    assert row["status"] == "done"
    bird = row["early_bird"]
    assert bird["emerged"]
    assert bird["epoch"] == 3
    assert [len(line) for line in bird["distances"]] == [3, 3, 3]
    assert 0 < max(bird["distances"][2]) <= 0.3
    ((dense, names),) = moments(tmp_path).items()
    assert len(names) == 3, "no epoch after it is trained"
    assert not (tmp_path / "trainings" / dense / "record.json").exists()


def test_without_a_settled_mask_it_is_drawn_at_the_end_and_other_cells_share_the_training(tmp_path: Path) -> None:
    frame = run({**KEYS, "early_bird.distance": 0, "methods": "dense,early_bird", "results_dir": str(tmp_path)})
    assert (frame["status"] == "done").all()
    bird = frame[frame["method"] != "dense"].iloc[0]["early_bird"]
    assert (bird["emerged"], bird["epoch"], bird["iteration"]) == (False, 6, None)
    assert len(list(tmp_path.glob("trainings/*/record.json"))) == 2, "dense and ticket"
    ((_, names),) = moments(tmp_path).items()
    assert len(names) == 5


def test_at_another_epoch_the_ticket_has_the_weights_and_the_mask_of_that_epoch(tmp_path: Path) -> None:
    keys = {**KEYS, "checks": "at_epoch", "at_epoch.epoch": 1, "results_dir": str(tmp_path)}
    frame = run(keys)
    assert (frame["status"] == "done").all()
    experiment, cells = prepare(from_mapping(keys))
    tickets = {cell.check.is_control: tasks(cell, experiment)[1].source.load(experiment) for cell in cells}
    ((dense, _),) = moments(tmp_path).items()
    steps = experiment.steps(cells[0].check, 0)
    for is_control, epoch in ((True, 3), (False, 1)):
        state = load_file(tmp_path / "trainings" / dense / f"at_{epoch * steps}it.safetensors")
        assert all(torch.equal(tickets[is_control].weights[name], value) for name, value in state.items())
        for name, layer in tickets[is_control].mask.items():
            kept, gone = state[name].abs()[layer], state[name].abs()[~layer]
            assert not len(kept) or not len(gone) or kept.min() >= gone.max()
    assert not all(torch.equal(tickets[True].mask[name], tickets[False].mask[name]) for name in tickets[True].mask)


def test_several_rounds_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="draws its mask once; set rounds=1"):
        prepare(from_mapping({**KEYS, "early_bird.rounds": 2, "results_dir": str(tmp_path)}))
