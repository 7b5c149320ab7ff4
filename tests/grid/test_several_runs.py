"""Several runs at once in one results directory: each result is made once, and what a killed run held is taken over."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sanity.run import main
from tests.forked import forked, silent
from tests.test_interruption import outcome

COMMON = [
    "model=lenet_300_100", "dataset.limit=400", "dataset.test_limit=100", "deterministic=true", "checkpoint_minutes=0",
    "device=cpu", "ratio=0.9", "checks=layerwise_rearrange",
]  # fmt: skip
FIRST = [*COMMON, "methods=dense,snip,partially_trained", "seeds=0", "recipe.epochs=8"]
SECOND = [*COMMON, "methods=partially_trained,magnitude,snip", "seeds=0", "recipe.epochs=8"]

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or torch.cuda.is_available(), reason="needs fork, which CUDA's threads do not survive"
)


def fork(words: list[str], root: Path, log: Path) -> int:
    """A run in a child of this process; the child's number."""
    return forked(silent(lambda: main([*words, f"results_dir={root}", f"log={log}"])))


def ended_well(*children: int) -> bool:
    return all(os.waitpid(child, 0)[1] == 0 for child in children)


def trainings_in(*logs: Path) -> int:
    """How many trainings ended, by the lines that tell of them."""
    return sum(": last " in line for log in logs for line in log.read_text().splitlines())


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_two_runs_at_once_make_each_result_once(tmp_path: Path) -> None:
    alone, shared, logs = tmp_path / "alone", tmp_path / "shared", [tmp_path / "first.log", tmp_path / "second.log"]
    assert ended_well(fork(FIRST, alone, tmp_path / "alone.log"))
    assert ended_well(fork(SECOND, alone, tmp_path / "alone.log"))
    assert ended_well(*[fork(words, shared, log) for words, log in zip((FIRST, SECOND), logs, strict=True)])
    assert outcome(shared) == outcome(alone)
    assert trainings_in(*logs) == len(outcome(shared))
    assert all(trainings_in(log) for log in logs)
    assert not list(shared.glob("claims/*"))


def test_a_killed_run_is_taken_over_by_one_that_waits(tmp_path: Path) -> None:
    words, alone, shared = [*COMMON, "methods=snip", "seeds=0", "recipe.epochs=20"], tmp_path / "alone", tmp_path / "it"
    assert ended_well(fork(words, alone, tmp_path / "alone.log"))
    killed = fork(words, shared, tmp_path / "killed.log")
    wait_for(lambda: list(shared.glob("trainings/*/checkpoint.safetensors")))
    os.kill(killed, signal.SIGSTOP)  # so that it does not end before the other has come to wait
    waiting = fork(words, shared, tmp_path / "waiting.log")
    log = tmp_path / "waiting.log"
    wait_for(lambda: log.exists() and "waiting for another run" in log.read_text())
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    assert ended_well(waiting)
    assert outcome(shared) == outcome(alone)


AUTO = [
    "model=lenet_300_100", "dataset.limit=200", "dataset.test_limit=100", "recipe.batch_size=20", "recipe.epochs=2",
    "device=cpu", "deterministic=true", "methods=snip", "ratio=0.5", "checks=layerwise_rearrange",
    "margin=0.01", "max_seeds=6",
]  # fmt: skip


def cells(root: Path) -> set[str]:
    return {path.stem for path in root.glob("cells/*.json")}


def test_runs_that_spend_seeds_together_or_are_killed_come_to_the_same_end(tmp_path: Path) -> None:
    alone, shared, killed = tmp_path / "alone", tmp_path / "shared", tmp_path / "killed"
    assert ended_well(fork(AUTO, alone, tmp_path / "alone.log"))
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    assert ended_well(*[fork(AUTO, shared, log) for log in logs])
    assert cells(shared) == cells(alone)
    assert outcome(shared) == outcome(alone)
    assert trainings_in(*logs) == len(outcome(shared))
    for count in (1, 9):
        child = fork(AUTO, killed, tmp_path / "killed.log")
        wait_for(lambda count=count: len(outcome(killed)) >= count)  # type: ignore[misc]
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended_well(fork(AUTO, killed, tmp_path / "killed.log"))
    assert cells(killed) == cells(alone)
    assert outcome(killed) == outcome(alone)
