"""Killed at any moment, a grid started again ends where it would have ended: to the bit, in deterministic mode."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from sanity.run import main
from tests.forked import BROKEN, forked, silent

GRID = [
    "methods=snip,partially_trained",
    "checks=layerwise_rearrange",
    "ratio=0.9",
    "seeds=0",
    "model=lenet_300_100",
    "recipe.epochs=8",
    "partially_trained.rewind=weights",
    "partially_trained.rewind_epoch=3",
    "dataset.limit=200",
    "dataset.test_limit=100",
    "deterministic=true",
    "checkpoint_minutes=0",
    "device=cpu",
]

Outcome = dict[str, tuple[str, list[object]]]
TRACE = "traceback.txt"  # of a child that raised

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def outcome(root: Path) -> Outcome:
    """What every training came to: the digest of its weights and its curve."""
    found = {}
    for path in root.glob("trainings/*/record.json"):
        record = json.loads(path.read_text())
        found[path.parent.name] = (record["digest"], record["curve"])
    return found


def fork(root: Path) -> int:
    """The grid in a child of this process, which has imported all it needs; the child's number. Where there is a GPU,
    whoever went backward once has threads for it, and autograd refuses to work in his children."""
    if torch.cuda.is_available():
        return spawn(root, "cpu")
    return forked(silent(lambda: main([*GRID, f"results_dir={root}"])), root.parent / TRACE)


def spawn(root: Path, device: str = "cuda") -> int:
    """The grid in a process of its own."""
    words = [f"device={device}" if word.startswith("device=") else word for word in GRID]
    command = [sys.executable, "-m", "sanity.run", *words, f"results_dir={root}"]
    silence = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    return os.posix_spawn(sys.executable, command, os.environ, file_actions=silence)


def strike(begin: Callable[[Path], int], root: Path, expected: Outcome, seconds: float, kills: int) -> None:
    """Begins the grid again and again and kills it within half of `seconds`, `kills` times; then lets it end."""
    chance = random.Random(0)
    killed, share = 0, 0.5
    for number in range(10 * kills):
        child = begin(root)
        time.sleep(seconds * chance.uniform(0.05, share))
        blow = signal.SIGTERM if number % 4 == 3 else signal.SIGKILL
        finished, _ = os.waitpid(child, os.WNOHANG)
        if not finished:
            os.kill(child, blow)
            _, status = os.waitpid(child, 0)
            stopped = os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 130
            trace = root.parent / TRACE
            assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) != BROKEN, trace.read_text(encoding="utf-8")
            killed += stopped
        if killed >= kills:
            break
        if finished or not stopped:  # it came to its end: begin another grid, and strike earlier
            assert outcome(root) == expected
            root = root / "again"
            share *= 0.8
    assert killed == kills
    assert os.waitpid(begin(root), 0)[1] == 0
    assert outcome(root) == expected


class Uninterrupted(NamedTuple):
    """A grid that ran from start to end: its results directory, what it came to, how long it took."""

    root: Path
    outcome: Outcome
    seconds: float


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    root = tmp_path_factory.mktemp("uninterrupted")
    assert main([*GRID, f"results_dir={root}"]) == 0  # in this process: children then find all modules imported
    again = tmp_path_factory.mktemp("again")
    began = time.monotonic()
    assert os.waitpid(fork(again), 0)[1] == 0
    seconds = time.monotonic() - began
    assert outcome(again) == outcome(root)
    return Uninterrupted(root, outcome(root), seconds)


def test_twenty_kills_change_nothing(uninterrupted: Uninterrupted, tmp_path: Path) -> None:
    strike(fork, tmp_path, uninterrupted.outcome, uninterrupted.seconds, kills=20)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_kills_change_nothing_on_a_gpu(tmp_path: Path) -> None:
    began = time.monotonic()
    assert os.waitpid(spawn(tmp_path / "uninterrupted"), 0)[1] == 0
    strike(spawn, tmp_path / "killed", outcome(tmp_path / "uninterrupted"), 2 * (time.monotonic() - began), kills=4)


@pytest.mark.skipif(not Path("/dev/full").exists() or os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_a_full_disk_is_one_line_and_loses_nothing(
    uninterrupted: Uninterrupted, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "small"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(root)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        assert main([*GRID, f"results_dir={root}"]) == 2
        printed = capfd.readouterr().err
        errors = [line for line in printed.splitlines() if line.startswith("error:")]
        assert len(errors) == 1
        assert "No space left" in errors[0]
        assert "Traceback" not in printed
        subprocess.run(["mount", "-o", "remount,size=64m", str(root)], check=True)
        assert main([*GRID, f"results_dir={root}"]) == 0
        assert outcome(root) == uninterrupted.outcome
    finally:
        subprocess.run(["umount", str(root)], check=False)


@pytest.mark.parametrize("name", ["record.json", "weights.safetensors", "mask.safetensors"])
def test_a_truncated_file_is_made_again(uninterrupted: Uninterrupted, tmp_path: Path, name: str) -> None:
    root = shutil.copytree(uninterrupted.root, tmp_path / "results")
    paths = list(root.glob(f"trainings/*/{name}"))
    assert len(paths) == len(uninterrupted.outcome)
    for path in paths:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    words = ["checks=reinit" if word.startswith("checks=") else word for word in GRID]
    assert main([*words, f"results_dir={root}"]) == 0
    assert main([*GRID, f"results_dir={root}"]) == 0
    again = outcome(root)
    assert {key: again[key] for key in uninterrupted.outcome} == uninterrupted.outcome
