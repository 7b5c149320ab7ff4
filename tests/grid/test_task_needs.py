"""Tasks are data: what each needs comes before it, and another process reads them as they were written."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from sanity.config import from_mapping
from sanity.grid.barriers import beside
from sanity.grid.task import DenseTraining, TicketTraining
from sanity.grid.tasks import tasks
from sanity.run import prepare, run

GRIDS: dict[str, dict[str, Any]] = {
    "one shot": {"methods": "dense,snip,magnitude", "checks": "layerwise_rearrange,reinit,random_labels"},
    "rounds": {
        "methods": "partially_trained", "checks": "random_labels,layerwise_shuffle", "ratio": 0.488,
        "partially_trained.removed_per_round": 0.2, "partially_trained.rewind": "fine_tune",
        "recipe.schedule": "constant",
    },
    "rewinding": {"methods": "magnitude", "magnitude.rewind": "weights", "magnitude.rewind_epoch": 1},
    "early bird": {"methods": "early_bird", "early_bird.pattern": "unstructured", "early_bird.window": 2},
    "of the end": {"methods": "snip", "checks": "sign_of_end,other_init"},
    "live": {"methods": "snip", "checks": "layerwise_rearrange,sign_of_end", "match": "live"},
    "barriers": {"methods": "snip", "checks": "layerwise_rearrange", "outcome": "barrier"},
    "reference": {"methods": "snip", "checks": "density_of"},
}  # fmt: skip
SMALL = {
    "model": "lenet_300_100", "recipe.epochs": 2, "dataset.limit": 200, "dataset.test_limit": 100, "seeds": 0,
    "device": "cpu", "ratio": 0.5, "checks": "none",
}  # fmt: skip


def keys(grid: str, folder: Path) -> dict[str, Any]:
    return {**SMALL, "results_dir": str(folder), **GRIDS[grid]}


@pytest.mark.parametrize("grid", GRIDS)
def test_what_a_task_needs_comes_before_it(grid: str, tmp_path: Path) -> None:
    experiment, cells = prepare(from_mapping(keys(grid, tmp_path)))
    needs: set[object] = set()
    for cell in cells:
        needed, final = tasks(cell, experiment)
        earlier: set[object] = set()
        for task in [*needed, final, *beside(cell, experiment)]:
            assert task.needs(experiment) <= earlier
            needs |= task.needs(experiment)
            earlier.add(task.name)
    assert needs


def test_a_training_can_start_once_what_it_needs_is_done(tmp_path: Path) -> None:
    experiment, cells = prepare(from_mapping(keys("rewinding", tmp_path)))
    needed, final = tasks(cells[0], experiment)
    by_name = {task.name: task for task in needed}
    assert [type(task).__name__ for task in needed] == ["DenseTraining", "MaskSearch"]
    assert isinstance(final, TicketTraining)
    assert final.needs(experiment) == set(by_name)
    assert not final.can_start(experiment)
    run(keys("rewinding", tmp_path))
    assert final.can_start(experiment)
    assert all(by_name[name].is_done(experiment) for name in final.needs(experiment))


@pytest.mark.parametrize("grid", GRIDS)
def test_tasks_reach_another_process_without_the_hashes_of_this_one(grid: str, tmp_path: Path) -> None:
    """The hash of a text is another in each process, so that a cached one would find nothing there."""
    experiment, cells = prepare(from_mapping(keys(grid, tmp_path)))
    for cell in cells:
        needed, final = tasks(cell, experiment)
        for task in [*needed, final]:
            assert hash(task.name) == hash(task.name)
            sent = pickle.dumps(task)
            assert b"_hash" not in sent
            assert pickle.loads(sent) == task
            assert isinstance(task, DenseTraining) or pickle.loads(sent).needs(experiment) == task.needs(experiment)
