"""Trackers: a run for each training, each epoch once, also when it goes on; a failure is told and harms nothing."""

import importlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sanity.console import trackers
from sanity.console.trackers import TRACKERS, TrackedRun, Tracking, tracking
from sanity.errors import UserError
from sanity.run import run
from tests.small_runs import TINY

RUN = TrackedRun("0a1b", "snip 90 % none seed 0", {"seed": 0, "model": "lenet"}, {"sparsity": 0.9, "density/fc": 0.1})
Steps = dict[str, list[tuple[int, float]]]


def row(epoch: int, accuracy: float = 50.0) -> dict[str, float]:
    return {"epoch": epoch, "learning_rate": 0.1, "test_accuracy": accuracy + epoch}


class Notes:
    """A tracker that writes down what it is told, and fails where it is asked to."""

    def __init__(self, fails_at: int = -1) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.fails_at = fails_at

    def begin(self, run: TrackedRun, first: int) -> None:
        self.told.append(("begin", run.key, first))

    def log(self, key: str, epoch: int, values: Mapping[str, float]) -> None:
        if epoch == self.fails_at:
            raise OSError("no space\nleft")
        self.told.append(("log", key, epoch, dict(values)))

    def end(self, key: str) -> None:
        self.told.append(("end", key))


def test_runs_beside_each_other_open_at_their_first_epoch_and_close_once() -> None:
    notes = Notes()
    passing, other = Tracking("notes", notes), replace(RUN, key="2c3d")
    passing.epoch(RUN, row(1))
    passing.epoch(other, row(4))
    passing.epoch(RUN, row(2))
    passing.end(RUN.key, {"sparsity": 0.5})
    passing.end(RUN.key)
    passing.close()
    assert [what[:3] for what in notes.told] == [
        *[("begin", "0a1b", 1), ("log", "0a1b", 1), ("begin", "2c3d", 4), ("log", "2c3d", 4)],
        *[("log", "0a1b", 2), ("log", "0a1b", 2), ("end", "0a1b"), ("end", "2c3d")],
    ]
    assert notes.told[1][3] == {"learning_rate": 0.1, "test_accuracy": 51.0}
    assert notes.told[5][3] == {"sparsity": 0.5}


def test_a_training_that_starts_again_within_a_run_is_opened_again() -> None:
    notes = Notes()
    passing = Tracking("notes", notes)
    for epoch in (1, 2, 2, 3):
        passing.epoch(RUN, row(epoch))
    assert [what[0] for what in notes.told] == ["begin", "log", "log", "end", "begin", "log", "log"]
    assert [what[2] for what in notes.told if what[0] == "begin"] == [1, 2]


def test_a_failure_is_told_once_and_ends_tracking_only(capsys: pytest.CaptureFixture[str]) -> None:
    notes = Notes(fails_at=2)
    passing = Tracking("notes", notes)
    for epoch in (1, 2, 3):
        passing.epoch(RUN, row(epoch))
    passing.close()
    assert not passing.on
    assert [what[0] for what in notes.told] == ["begin", "log"]
    assert capsys.readouterr().err == "warning: track=notes: OSError: no space; the run goes on without it\n"


def test_without_a_tracker_nothing_is_imported_or_written(tmp_path: Path) -> None:
    with tracking("none", tmp_path) as passing:
        passing.epoch(RUN, row(1))
        assert not passing.on
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRACKERS, "wandb", ("no_such_package", ""))
    with (
        pytest.raises(UserError, match=r"track=wandb: no_such_package is not installed; pip install .*\[wandb\]"),
        tracking("wandb", tmp_path),
    ):
        pass


def test_a_tracker_that_cannot_start_leaves_the_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TRACKERS, "mlflow", ("json", "json:loads"))
    with tracking("mlflow", tmp_path) as passing:
        passing.epoch(RUN, row(1))
    assert "warning: track=mlflow: TypeError" in capsys.readouterr().err


# -- the real packages, offline ------------------------------------------------------------------------------------


def of_tensorboard(folder: Path) -> dict[str, Steps]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: dict[str, Steps] = {}
    for path in sorted((folder / "tensorboard").iterdir()):
        events = EventAccumulator(str(path)).Reload()
        key = path.name.rpartition("-")[2]
        found[key] = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    return found


def log_records(content: bytes, block: int = 32_768) -> Iterator[bytes]:
    """The records of a file of wandb: LevelDB's log format after seven bytes (checksum, length, kind, part of one)."""
    at, record = 7, b""
    while at + 7 <= len(content):
        if block - at % block < 7:
            at += block - at % block
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def of_wandb(folder: Path) -> dict[str, Steps]:
    from wandb.proto.wandb_internal_pb2 import Record

    found: dict[str, Steps] = {}
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        steps = found.setdefault(path.stem.removeprefix("run-"), {})
        for data in log_records(path.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                values = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
                for name, value in values.items():
                    if not name.startswith("_"):
                        steps.setdefault(name, []).append((int(values["_step"]), json.loads(value)))
    return found


def of_mlflow(folder: Path) -> dict[str, Steps]:
    from sanity.console.trackers.mlflow import EXPERIMENT, MLflow

    client = MLflow(folder)._client
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found: dict[str, Steps] = {}
    for entry in client.search_runs([experiment.experiment_id]):
        assert entry.info.status == "FINISHED"
        histories = {name: client.get_metric_history(entry.info.run_id, name) for name in entry.data.metrics}
        steps = {name: sorted((m.step, m.value) for m in history) for name, history in histories.items()}
        assert found.setdefault(entry.data.tags["sanity.key"], steps) is steps, "two runs of one key"
    return found


def offline(name: str, read: Any) -> Any:
    missing = importlib.util.find_spec(TRACKERS[name][0]) is None
    return pytest.param(name, read, marks=pytest.mark.skipif(missing, reason=f"{name} is not installed"), id=name)


READERS = [offline("tensorboard", of_tensorboard), offline("wandb", of_wandb), offline("mlflow", of_mlflow)]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)


def send(name: str, folder: Path, epochs: range, of: TrackedRun = RUN, **ends: float) -> None:
    with tracking(name, folder) as passing:
        for epoch in epochs:
            passing.epoch(of, row(epoch))
        passing.end(of.key, ends or None)
        assert passing.on
    if name == "wandb":
        importlib.import_module("wandb").teardown()  # what follows is another process


@pytest.mark.parametrize(("name", "read"), READERS)
def test_a_run_that_goes_on_has_every_epoch_once(name: str, read: Any, tmp_path: Path) -> None:
    """Epochs 3 and 4 were sent, but the checkpoint from which it goes on is of the end of epoch 2."""
    send(name, tmp_path, range(1, 5))
    send(name, tmp_path, range(3, 7), replace(RUN, name="another cell that needs it"), sparsity=0.5)
    (steps,) = read(tmp_path).values()
    accuracy = steps["test_accuracy"] if name != "wandb" else sorted(dict(steps["test_accuracy"]).items())
    assert accuracy == [(epoch, 50.0 + epoch) for epoch in range(1, 7)]
    assert steps["sparsity"] == [(0, pytest.approx(0.9)), (6, pytest.approx(0.5))]
    assert steps["density/fc"] == [(0, pytest.approx(0.1))]


@pytest.mark.parametrize(("name", "read"), [case for case in READERS if case.id != "wandb"])
def test_a_run_that_starts_again_forgets_what_was_there(name: str, read: Any, tmp_path: Path) -> None:
    send(name, tmp_path, range(1, 6))
    send(name, tmp_path, range(1, 3))
    (steps,) = read(tmp_path).values()
    assert [step for step, _ in steps["test_accuracy"]] == [1, 2]
    assert [step for step, _ in steps["sparsity"]] == [0]


@pytest.mark.parametrize(("name", "read"), READERS)
def test_every_training_of_a_grid_is_a_run_with_its_curve(name: str, read: Any, tmp_path: Path) -> None:
    results = tmp_path / "results"
    keys: dict[str, Any] = {**TINY, "methods": "random,magnitude", "checks": "none", "seeds": "0", "track": name}
    frame = run({**keys, "results_dir": str(results)})
    found = read(results)
    assert set(found) == set(frame["training"])
    for steps in found.values():
        assert [step for step, _ in steps["test_accuracy"]] == [1, 2]
        assert steps["sparsity"][0] == (0, pytest.approx(0.9, abs=1e-3))
        assert len([tag for tag in steps if tag.startswith("density/")]) == 3
    last = {key: steps["test_accuracy"][-1][1] for key, steps in found.items()}
    assert last == pytest.approx(dict(zip(frame["training"], frame["last_test_accuracy"], strict=True)))


def test_a_tracker_that_fails_within_a_grid_changes_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = Notes(fails_at=1)
    monkeypatch.setitem(TRACKERS, "mlflow", ("json", "failing:tracker"))
    load = trackers.importlib.import_module  # type: ignore[attr-defined]
    stand_in = type("Module", (), {"tracker": staticmethod(lambda folder: failing)})
    monkeypatch.setattr(
        trackers.importlib,  # type: ignore[attr-defined]
        "import_module",
        lambda name: stand_in if name == "failing" else load(name),
    )
    keys = {**TINY, "methods": "random,magnitude", "checks": "none", "seeds": "0", "track": "mlflow"}
    frame = run({**keys, "results_dir": str(tmp_path)})
    assert frame["status"].tolist() == ["done", "done"]
    assert capsys.readouterr().err.count("warning: track=mlflow: OSError: no space") == 1
