"""Interrupted anywhere, killed anywhere, damaged anyhow: the end result is bit-equal, or training starts afresh."""

import dataclasses
import json
import logging
import multiprocessing
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sanity.recipes import Recipe
from sanity.store import tensor_files
from sanity.training.loop import Interrupted, TrainingResult, TrainingSpec
from sanity.training.trainer import Trainer
from tests.training.nets import DEVICES, equal, half_mask, tiny_conv, tiny_mlp, trained

STEPS = 7  # of an epoch: 101 examples in batches of 16
BEST_OF = frozenset({2 * STEPS, 3 * STEPS})
SNAPSHOTS = frozenset({0, STEPS + 3, 2 * STEPS})  # at the start, within an epoch, between two


def recipe(**fields: Any) -> Recipe:
    return Recipe(**{"epochs": 3, "batch_size": 16, "crop_padding": 1, "weight_decay": 1e-3, **fields})


def fit(job: TrainingSpec, how: Recipe, **options: Any) -> TrainingResult:
    return trained([job], how, **{"deterministic": True, **options})[0]


class After:
    """A stop that says so after a number of steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


def job_in(folder: Path | None, model: nn.Module | None = None, **fields: Any) -> TrainingSpec:
    model = model or tiny_conv()
    kept = {"snapshots": SNAPSHOTS, "best_of": BEST_OF, **fields}
    return TrainingSpec(model, half_mask(model), seed=4, directory=folder, **kept)


def assert_same(one: TrainingResult, other: TrainingResult) -> None:
    assert equal(one.weights, other.weights)
    assert one.curve == other.curve
    assert one.snapshots.keys() == other.snapshots.keys() == SNAPSHOTS
    assert all(equal(one.snapshots[k], other.snapshots[k]) for k in one.snapshots)
    assert one.best.keys() == other.best.keys()
    for k, best in one.best.items():
        assert (best.epoch, best.test_accuracy) == (other.best[k].epoch, other.best[k].test_accuracy)
        assert equal(best.weights, other.best[k].weights)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
def test_interrupted_every_few_steps_it_ends_as_if_never(
    tmp_path: Path, optimizer: str, precision: str, device: str
) -> None:
    how = recipe(optimizer=optimizer, schedule="plateau", patience=1)
    given = {"precision": precision, "device": device, "checkpoint_minutes": 999}
    whole = fit(job_in(None), how, **given)
    interruptions = 0
    for _ in range(20):
        try:
            result = fit(job_in(tmp_path), how, stop=After(2), **given)
            break
        except Interrupted:
            interruptions += 1
    assert interruptions >= 3 * STEPS // 2
    assert result.resumed_from is not None
    assert_same(result, whole)


@pytest.mark.parametrize("stopped", range(1, 3 * STEPS + 1))
def test_interrupted_after_any_step_it_ends_as_if_never(tmp_path: Path, stopped: int) -> None:
    whole = fit(job_in(None), recipe())
    with pytest.raises(Interrupted):
        fit(job_in(tmp_path), recipe(), stop=After(stopped), checkpoint_minutes=999)
    result = fit(job_in(tmp_path), recipe())
    assert result.resumed_from == (stopped - 1) // STEPS  # epochs that were tested and booked
    assert_same(result, whole)


def test_dropout_goes_on_with_the_same_noise(tmp_path: Path) -> None:
    def model() -> nn.Module:
        return nn.Sequential(tiny_mlp(), nn.Dropout(0.5))

    whole = fit(job_in(None, model()), recipe())
    with pytest.raises(Interrupted):
        fit(job_in(tmp_path, model()), recipe(), stop=After(11))
    assert_same(fit(job_in(tmp_path, model()), recipe()), whole)


WHOLE = frozenset({2 * STEPS, 40 * STEPS})
FORK = multiprocessing.get_context("fork")  # a child has all modules imported


def train_until_killed(folder: Path, epochs: Connection) -> None:
    """Trains in a child process and tells each epoch that ended."""
    job, often = job_in(folder, best_of=WHOLE), 1e-9
    fit(job, recipe(epochs=40), checkpoint_minutes=often, progress=lambda job, row: epochs.send(row["epoch"]))


@pytest.fixture
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_one_thread")
def test_killed_at_any_moment_it_ends_as_if_never(tmp_path: Path) -> None:
    whole = fit(job_in(None, best_of=WHOLE), recipe(epochs=40))
    reached = 0
    for delay in (0.003, 0.013, 0.031):  # well within an epoch of 7 steps and as many checkpoints
        receiver, sender = FORK.Pipe(duplex=False)
        process = FORK.Process(target=train_until_killed, args=(tmp_path, sender))
        process.start()
        epoch = receiver.recv()
        assert epoch > reached, "what an earlier process finished must not be trained again"
        reached = epoch
        time.sleep(delay)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    result = fit(job_in(tmp_path, best_of=WHOLE), recipe(epochs=40))
    assert result.resumed_from is not None
    assert result.resumed_from >= reached
    assert result.best.keys() == WHOLE
    assert_same(result, whole)


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    elif how == "one bit":
        content[-1] ^= 1
    else:
        content[:8] = b"\xff" * 8
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "empty", "one bit", "header"])
@pytest.mark.parametrize("what", ["checkpoint.safetensors", "snapshot-0.safetensors"])
def test_a_damaged_file_costs_one_line_and_time_but_no_result(
    tmp_path: Path, what: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = fit(job_in(None), recipe())
    with pytest.raises(Interrupted):
        fit(job_in(tmp_path), recipe(), stop=After(10))
    damage(tmp_path / what, how)
    with caplog.at_level(logging.WARNING):
        result = fit(job_in(tmp_path), recipe())
    assert what in caplog.messages[0]
    assert all("\n" not in message for message in caplog.messages)
    assert result.resumed_from is None
    assert_same(result, whole)


@pytest.mark.parametrize("change", [{"lr": 0.05}, {"seed": 5}, {"start": STEPS}, {"start": 3}, {"mask": None}])
def test_the_checkpoint_of_another_training_is_not_continued(
    tmp_path: Path, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Interrupted):
        fit(job_in(tmp_path), recipe(), stop=After(10))
    how = recipe(**({"lr": 0.05} if "lr" in change else {}))
    fields = {} if "lr" in change else change
    expected = fit(dataclasses.replace(job_in(None), **fields), how)
    result = fit(dataclasses.replace(job_in(tmp_path), **fields), how)
    assert "another training" in caplog.text
    assert equal(result.weights, expected.weights)


def test_where_no_checkpoint_can_be_written_training_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    result = fit(job_in(tmp_path / "file"), recipe(), checkpoint_minutes=0)
    assert "was not written" in caplog.text
    assert_same(result, fit(job_in(None), recipe()))


def test_a_checkpoint_is_written_after_the_minutes_and_no_sooner(tmp_path: Path) -> None:
    fit(TrainingSpec(tiny_mlp(), None, 0, directory=tmp_path), recipe(), checkpoint_minutes=999)
    assert not list(tmp_path.iterdir())
    fit(TrainingSpec(tiny_mlp(), None, 0, directory=tmp_path), recipe(), checkpoint_minutes=0)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_what_is_written_is_read_back_and_the_digest_sees_every_change(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(True), "c": torch.zeros(0, 2)}
    tensor_files.write(tmp_path / "file", tensors, {"step": 3})
    found = tensor_files.read(tmp_path / "file")
    assert found is not None
    assert equal(found[0], tensors)
    assert found[1] == json.loads('{"step": 3}')
    one = tensor_files.digest(tensors)
    assert one == tensor_files.digest({**tensors, "a": tensors["a"].t().contiguous().t()}), (
        "layout in memory is not content"
    )
    for change in ({"a": tensors["a"].view(3, 2)}, {"a": tensors["a"].double()}, {"a": -tensors["a"]}):
        assert one != tensor_files.digest({**tensors, **change})


@pytest.mark.parametrize("missing", ["the best epoch so far", "a best epoch that is passed"])
def test_a_checkpoint_without_the_best_epoch_is_not_continued(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    asked = frozenset({STEPS, 3 * STEPS})
    whole = fit(job_in(None, best_of=asked), recipe())
    first = asked if missing.endswith("passed") else frozenset()
    with pytest.raises(Interrupted):
        fit(job_in(tmp_path, best_of=first), recipe(), stop=After(STEPS + 3), checkpoint_minutes=999)
    for path in tmp_path.glob("snapshot-best-*"):
        path.unlink()
    result = fit(job_in(tmp_path, best_of=asked), recipe())
    assert "lacks the weights of the best epoch" in caplog.text
    assert result.resumed_from is None
    assert_same(result, whole)


def test_a_checkpoint_whose_best_epoch_was_sought_among_fewer_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The best of all epochs may lie between the last of which the best was asked for and the checkpoint."""

    def told(self: Trainer) -> torch.Tensor:
        hits = (0.2, 0.6, 0.4, 0.5)[self.epoch] * len(self.setting.test)
        return torch.tensor([[1.0], [hits]], dtype=torch.float64)

    monkeypatch.setattr(Trainer, "test", told)
    first, whole = frozenset({STEPS}), frozenset({STEPS, 4 * STEPS})
    with pytest.raises(Interrupted):
        fit(job_in(tmp_path, best_of=first), recipe(epochs=4), stop=After(2 * STEPS + 3), checkpoint_minutes=999)
    result = fit(job_in(tmp_path, best_of=whole), recipe(epochs=4))
    assert {iteration: best.epoch for iteration, best in result.best.items()} == {STEPS: 1, 4 * STEPS: 2}
    assert "lacks the weights of the best epoch" in caplog.text
