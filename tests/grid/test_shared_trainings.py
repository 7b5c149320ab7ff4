"""Which trainings cells share, which go on together, and which are told apart."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reports.statistics import summarise
from sanity.grid.cells import Cell
from sanity.grid.training_batch import PlannedTraining
from sanity.grid.training_queue import TrainingQueue
from sanity.run import run
from sanity.store.records import load_records
from tests.grid.conftest import Keys


def test_stacks_are_made_of_trainings_that_are_alike(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[str]] = []
    original = TrainingQueue.train

    def noted(self: "TrainingQueue[Cell]", batch: Sequence[PlannedTraining]) -> None:
        batches.append([plan.title for plan in batch])
        original(self, batch)

    monkeypatch.setattr(TrainingQueue, "train", noted)
    many = {**keys, "methods": "dense,random,magnitude", "checks": "none", "seeds": "0,1,2,3", "runs_per_device": 1}
    frame = run({**many, "recipe.epochs": 1})
    assert set(frame["stacked"]) == {4}
    assert [len(batch) for batch in batches] == [4, 4, 4]
    assert [sum("dense" in title for title in batch) for batch in batches] == [4, 0, 0]


def test_the_dense_network_of_a_seed_is_trained_once(keys: Keys, tmp_path: Path) -> None:
    frame = run({**keys, "methods": "dense,partially_trained,hybrid_tickets", "checks": "layerwise_rearrange"})
    assert len(frame) == 5
    assert len(list(tmp_path.glob("results/trainings/*/record.json"))) == 5
    frame = run({**keys, "methods": "dense,partially_trained", "checks": "random_labels"})
    assert len(list(tmp_path.glob("results/trainings/*/record.json"))) == 7  # dense on random labels, and its ticket


def test_a_method_without_data_costs_nothing_under_a_data_check(keys: Keys, tmp_path: Path) -> None:
    frame = run(
        {**keys, "methods": "synflow", "checks": "random_labels,random_pixels,half_dataset", "synflow.rounds": 5}
    )
    assert frame["training"].nunique() == 1
    assert frame.set_index("check")["identical_to_none"].to_dict() == {
        "none": False,
        "random_labels": True,
        "random_pixels": True,
        "half_dataset": True,
    }
    assert len(list(tmp_path.glob("results/tickets/*/ticket.json"))) == 1


def test_runs_of_different_settings_in_one_folder_are_told_apart(keys: Keys) -> None:
    for lr in (0.05, 0.1):
        run({**keys, "methods": "random", "checks": "none", "recipe.lr": lr})
    summary = summarise(load_records(keys["results_dir"]))
    assert len({cell.recipe for cell in summary.cells}) == 2
    assert any("recipe.lr=0.05" in cell.recipe for cell in summary.cells)


def test_replicates_differ_and_repeats_do_not(keys: Keys, tmp_path: Path) -> None:
    again = {**keys, "results_dir": str(tmp_path / "again")}
    first, second = (run({**where, "methods": "grasp", "seeds": "0,1", "checks": "none"}) for where in (keys, again))
    assert first["ticket"].nunique() == 2
    assert list(first["ticket"]) == list(second["ticket"])
    assert list(first["digest"]) == list(second["digest"])


def test_what_breaks_in_training_fails_alone(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings go on together; which of them broke shows when each is tried alone."""
    from sanity.training.trainer import Trainer

    step = Trainer.take_step

    def failing(self: Trainer) -> None:
        if any(job.seed == 1 for job in self.jobs):
            raise ZeroDivisionError("seed 1")
        step(self)

    monkeypatch.setattr(Trainer, "take_step", failing)
    frame = run({**keys, "methods": "random", "seeds": "0,1,2"})
    assert dict(zip(frame["seed"], frame["status"], strict=True)) == {0: "done", 1: "failed", 2: "done"}
    assert set(frame["reason"].dropna()) == {"ZeroDivisionError: seed 1"}
