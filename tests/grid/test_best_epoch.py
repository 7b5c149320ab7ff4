"""The epoch of the best test accuracy as a moment: scored, retrained, in several rounds, stored and found again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid import keys as names
from sanity.grid import training_queue
from sanity.grid.plan import plan
from sanity.grid.scratch import collect
from sanity.grid.tasks import tasks
from sanity.grid.ticket_source import TicketSource
from sanity.grid.training_batch import PlannedTraining, train_batch
from sanity.run import prepare, run
from sanity.training.trainer import Trainer

Keys = dict[str, Any]
ACCURACIES = (20.0, 60.0, 30.0, 50.0)
METHOD = "partially_trained"


@pytest.fixture(autouse=True)
def _accuracies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every training is best after its second epoch."""

    def told(self: Trainer) -> torch.Tensor:
        hits = ACCURACIES[self.epoch] / 100 * len(self.setting.test)
        return torch.tensor([[1.0], [hits]], dtype=torch.float64).expand(2, len(self.jobs))

    monkeypatch.setattr(Trainer, "test", told)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return {
        "model": "lenet_300_100", "recipe.epochs": 4, "recipe.batch_size": 50, "dataset.limit": 200,
        "dataset.test_limit": 100, "ratio": 0.9, "seeds": 0, "device": "cpu", "checks": "none", "deterministic": True,
        "results_dir": str(tmp_path / "results"), "methods": METHOD, f"{METHOD}.rewind": "learning_rate",
    }  # fmt: skip


def files(keys: Keys) -> dict[str, set[str]]:
    """The folders of trainings, each with the files of their moments."""
    folders = sorted(Path(keys["results_dir"], "trainings").iterdir())
    return {f.name: {p.name for p in f.glob("*.safetensors")} - {"mask.safetensors"} for f in folders}


@pytest.mark.parametrize(("moment", "epoch", "file"), [("best", 2, "best"), ("best1", 1, "best_of_4it")])
def test_the_mask_and_the_weights_are_those_of_the_best_epoch(
    keys: Keys, tmp_path: Path, moment: str, epoch: int, file: str
) -> None:
    (best,) = run({**keys, f"{METHOD}.scored_at": moment}).to_dict("records")
    (plain,) = run({**keys, f"{METHOD}.scored_at": epoch, "results_dir": str(tmp_path / "plain")}).to_dict("records")
    assert best["status"] == "done"
    assert best["best_epochs"] == [epoch]
    assert "best_epochs" not in plain
    assert (best["ticket"], best["training"]) == (plain["ticket"], plain["training"])
    dense = next(folder for folder, names in files(keys).items() if f"{file}.safetensors" in names)
    assert ("weights.safetensors" in files(keys)[dense]) == (moment == "best")


def test_weights_of_the_best_epoch_are_retrained_and_rewinding_to_its_place_is_refused(keys: Keys) -> None:
    options = {"rewind": "weights", "weights_at": "best", "scored_at": "end"}
    (row,) = run({**keys, **{f"{METHOD}.{name}": value for name, value in options.items()}}).to_dict("records")
    assert (row["best_epochs"], row["start_epoch"]) == ([2], 0)
    folder = next(f for f, names in files(keys).items() if "best.safetensors" in names)
    state = load_file(Path(keys["results_dir"], "trainings", folder, "best.safetensors"))
    experiment, (cell,) = prepare(from_mapping({**keys, **{f"{METHOD}.{n}": v for n, v in options.items()}}))
    ticket = tasks(cell, experiment)[1].source.load(experiment)
    assert all(torch.equal(ticket.weights[name], value) for name, value in state.items())
    with pytest.raises(UserError, match=rf"{METHOD}\.rewind_epoch=best: should be init, end, an epoch"):
        prepare(from_mapping({**keys, f"{METHOD}.rewind_epoch": "best"}))
    with pytest.raises(UserError, match="scored_at=best9 lies beyond the 4 epochs"):
        prepare(from_mapping({**keys, f"{METHOD}.scored_at": "best9"}))


def test_every_round_scores_the_best_epoch_of_the_one_before(keys: Keys) -> None:
    (row,) = run({**keys, f"{METHOD}.scored_at": "best", f"{METHOD}.rounds": 3}).to_dict("records")
    assert row["status"] == "done"
    assert row["best_epochs"] == [2, 2, 2]
    assert sum("best.safetensors" in names for names in files(keys).values()) == 3  # of the dense network and 2 rounds


def test_a_cell_that_ends_with_the_round_of_another_trains_it_once(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []

    def counted(batch: Sequence[PlannedTraining], *rest: Any) -> None:
        trained.extend(plan.key for plan in batch)
        train_batch(batch, *rest)

    monkeypatch.setattr(training_queue, "train_batch", counted)
    options = {"scored_at": "best", "removed_per_round": 0.5}
    asked = {**keys, "ratio": "0.5,0.75", **{f"{METHOD}.{name}": value for name, value in options.items()}}
    experiment, cells = prepare(from_mapping(asked))
    assert plan(cells, experiment).trainings == 3  # the dense network's, and one for each ratio
    assert set(run(asked)["status"]) == {"done"}
    assert len(trained) == len(set(trained)) == 3


def test_a_training_that_ended_without_is_trained_again_and_keeps_its_record(keys: Keys) -> None:
    run({**keys, "methods": f"dense,{METHOD}"})
    records = {path: path.read_bytes() for path in Path(keys["results_dir"]).glob("trainings/*/record.json")}
    asked = {**keys, f"{METHOD}.scored_at": "best"}
    experiment, cells = prepare(from_mapping(asked))
    ahead = plan(cells, experiment)
    assert (ahead.trainings, ahead.dense, ahead.epochs) == (2, 1, 8)
    run(asked)
    assert {path: path.read_bytes() for path in records} == records
    again, cells = prepare(from_mapping({**asked, "methods": f"dense,{METHOD}"}))
    assert plan(cells, again).trainings == 0


@pytest.mark.parametrize("rounds", [1, 2])
def test_it_is_part_of_the_names_and_survives_json(keys: Keys, rounds: int) -> None:
    named = []
    for moment in ("best", "end") if rounds > 1 else ("best", "best2", "end", 2):
        experiment, (cell,) = prepare(from_mapping({**keys, f"{METHOD}.scored_at": moment, f"{METHOD}.rounds": rounds}))
        source = tasks(cell, experiment)[1].source
        assert TicketSource.from_dict(source.as_dict()) == source
        named.append((names.cell(cell, experiment), source.mask, str(source)))
    for column in zip(*named, strict=True):
        assert len(set(column)) == len(named)


def test_a_damaged_file_is_said_and_made_again(keys: Keys) -> None:
    run({**keys, f"{METHOD}.scored_at": "best"})
    (path,) = Path(keys["results_dir"]).glob("trainings/*/best.safetensors")
    content = path.read_bytes()
    whole = {name: value.clone() for name, value in load_file(path).items()}  # it is mapped, not read
    path.write_bytes(content[: len(content) // 2])
    run({**keys, f"{METHOD}.scored_at": "best", "ratio": 0.8})
    again = load_file(path)
    assert all(torch.equal(again[name], value) for name, value in whole.items())


def test_a_worker_sends_moments_of_a_training_whose_record_is_there(keys: Keys) -> None:
    experiment, _ = prepare(from_mapping(keys))
    path = experiment.store.folder("trainings", "a" * 20)
    path.mkdir(parents=True)
    (path / "record.json").write_text("ours")
    (path / "at_8it.safetensors").write_text("ours")
    sent = dict.fromkeys(("record.json", "at_4it.safetensors", "at_8it.safetensors", "best.safetensors"), b"theirs")
    assert collect({("trainings", "a" * 20): {**sent, "checkpoint.safetensors": b"theirs"}}, experiment)
    assert {file.name: file.read_text() for file in path.iterdir() if not file.name.startswith(".")} == {
        "record.json": "ours", "at_8it.safetensors": "ours", "at_4it.safetensors": "theirs",
        "best.safetensors": "theirs",
    }  # fmt: skip
