"""A dense training and its moments: one training for all that start from it, extended or made again where need be."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sanity.config import from_mapping
from sanity.grid.plan import plan
from sanity.grid.task import TicketTraining
from sanity.grid.tasks import tasks
from sanity.grid.ticket_source import TicketSource
from sanity.run import prepare, run

STEPS = 4  # iterations an epoch

Keys = dict[str, Any]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return {
        "model": "lenet_300_100", "recipe.epochs": 4, "recipe.batch_size": 50, "dataset.limit": 200,
        "dataset.test_limit": 100, "ratio": 0.9, "seeds": 0, "device": "cpu", "checks": "none", "deterministic": True,
        "results_dir": str(tmp_path / "results"),
    }  # fmt: skip


def moments(tmp_path: Path, results: str = "results") -> dict[str, set[str]]:
    """The folders of dense trainings, each with the files of their moments."""
    folders = {path.parent for path in tmp_path.glob(f"{results}/trainings/*/at_*it.safetensors")}
    return {folder.name: {path.name for path in folder.glob("at_*")} for folder in folders}


def epochs_run(tmp_path: Path, log: str) -> int:
    return sum(": last " in line for line in (tmp_path / log).read_text().splitlines())


def test_one_dense_network_serves_all_that_start_from_it(keys: Keys, tmp_path: Path) -> None:
    asked = {**keys, "methods": "dense,partially_trained,magnitude", "magnitude.scored_at": 2}
    experiment, cells = prepare(from_mapping(asked))
    ahead = plan(cells, experiment)
    assert (ahead.trainings, ahead.dense, ahead.epochs) == (3, 0, 3 * 4)
    frame = run({**asked, "log": str(tmp_path / "log")})
    assert set(frame["status"]) == {"done"}
    assert epochs_run(tmp_path, "log") == 3
    assert [*moments(tmp_path).values()] == [{"at_8it.safetensors"}]


def test_a_network_trained_so_far_is_trained_on(keys: Keys, tmp_path: Path) -> None:
    early = {**keys, "methods": "magnitude", "magnitude.scored_at": 2}
    run(early)
    (folder,) = moments(tmp_path)
    assert (tmp_path / "results" / "trainings" / folder / "checkpoint.safetensors").exists()
    assert not (tmp_path / "results" / "trainings" / folder / "record.json").exists()
    extended = run({**keys, "methods": "dense"})
    fresh = run({**keys, "methods": "dense", "results_dir": str(tmp_path / "fresh")})
    assert list(extended["digest"]) == list(fresh["digest"])
    assert list(extended["resumed_from"]) == [2]
    assert not (tmp_path / "results" / "trainings" / folder / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("before", ["dense", "magnitude"])
def test_a_moment_that_was_passed_is_made_again(keys: Keys, tmp_path: Path, before: str) -> None:
    run({**keys, "methods": before, "magnitude.scored_at": 3} if before == "magnitude" else {**keys, "methods": before})
    asked = {**keys, "methods": "magnitude", "magnitude.scored_at": 1}
    record = {path: path.read_bytes() for path in tmp_path.glob("results/trainings/*/record.json")}
    found = run(asked)
    fresh = run({**asked, "results_dir": str(tmp_path / "fresh")})
    assert list(found["ticket"]) == list(fresh["ticket"])
    assert {path: path.read_bytes() for path in record} == record


def test_moments_may_be_iterations(keys: Keys, tmp_path: Path) -> None:
    options = {"scored_at": "6it", "rewind": "weights", "rewind_epoch": "3it"}
    named = {f"partially_trained.{name}": value for name, value in options.items()}
    frame = run({**keys, "methods": "partially_trained", **named})
    assert [*moments(tmp_path).values()] == [{"at_3it.safetensors", "at_6it.safetensors", "at_8it.safetensors"}]
    assert list(frame["start_epoch"]) == [3 / STEPS]
    assert list(frame["epochs"]) == [4 - 3 / STEPS]
    # the same moments as epochs are the same tickets
    hybrid = {**keys, "methods": "hybrid_tickets", "hybrid_tickets.rewind": "weights"}
    in_epochs, in_iterations = (run({**hybrid, "hybrid_tickets.rewind_epoch": at}) for at in ("2", "8it"))
    assert list(in_epochs["ticket"]) == list(in_iterations["ticket"])
    assert list(in_epochs["training"]) == list(in_iterations["training"])


def test_a_dense_training_that_fails_is_tried_once(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    from sanity.training.trainer import Trainer

    tried: list[int] = []

    def failing(self: Trainer) -> None:
        tried.append(self.jobs[0].seed)
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(Trainer, "take_step", failing)
    options = {"methods": "partially_trained", "checks": "layerwise_shuffle,layerwise_rearrange,reinit"}
    frame = run({**keys, **options, "ratio": "0.5,0.8,0.9", "runs_per_device": 1})
    assert len(frame) == 12
    assert set(frame["reason"]) == {"ZeroDivisionError: broken"}
    assert len(tried) == 1


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_tickets_source_survives_json(keys: Keys, rounds: int) -> None:
    import json

    named = {"partially_trained.rounds": rounds, "partially_trained.rewind": "fine_tune"}
    asked = {**keys, "methods": "partially_trained", "checks": "random_labels+reinit", "recipe.schedule": "constant"}
    experiment, cells = prepare(from_mapping({**asked, **named}))
    for cell in cells:
        _, last = tasks(cell, experiment)
        text = json.dumps(last.source.as_dict())
        assert TicketSource.from_dict(json.loads(text)) == last.source
        assert "ticket(training(" in str(last.source)


def test_every_round_draws_new_initial_weights(keys: Keys) -> None:
    """As Renda et al.: under each round's mask weights that no other round and no other seed has."""
    asked = {**keys, "methods": "partially_trained", "partially_trained.rounds": 3, "seeds": "0,1"}
    frame = run({**asked, "partially_trained.rewind": "redraw", "checks": "reinit"})
    assert set(frame["status"]) == {"done"}
    assert set(frame.loc[frame["check"] == "reinit", "predicted"]) == {"null"}
    experiment, cells = prepare(from_mapping({**asked, "partially_trained.rewind": "redraw"}))
    states = [experiment.state(0)]
    for cell in cells:
        needed, last = tasks(cell, experiment)
        sources = [task.source for task in [*needed, last] if isinstance(task, TicketTraining)]
        assert [source.weights.redrawn for source in sources] == [1, 2, 3]
        assert all(TicketSource.from_dict(source.as_dict()) == source for source in sources)
        states += [source.weights.load(experiment) for source in sources]
    drawn = [next(iter(state.values())) for state in states]
    assert len(drawn) == 7
    assert all(not torch.equal(one, other) for i, one in enumerate(drawn) for other in drawn[:i])
    assert all(float(weight.std()) == pytest.approx(float(drawn[0].std()), rel=0.05) for weight in drawn)
