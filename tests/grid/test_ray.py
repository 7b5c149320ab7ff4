"""A grid on a real Ray with two workers: one is killed, then its driver; the end is that of an ordinary run."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs Ray: pip install 'pruning-sanity[ray]'")

from sanity.run import main
from tests.grid.ray_faults import GRID, cluster, driver, on_ray, wait_for, workers
from tests.test_interruption import outcome

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers in /proc")
WORDS = [*GRID, "seeds=0"]


def kill_a_worker(killed: list[int]) -> None:
    """Kills the first worker that is seen at work."""
    while not killed:
        for worker in workers(os.getpid(), at_work=True)[:1]:
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)
        time.sleep(0.02)


def test_a_killed_worker_and_a_killed_driver_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone, root = tmp_path / "alone", tmp_path / "results"
    assert main([*WORDS, f"results_dir={alone}"]) == 0
    expected = outcome(alone)
    with cluster(cpus=2) as made:
        first = driver(WORDS, root, made.address)
        wait_for(lambda: outcome(root))
        first.kill()
        first.wait()
        wait_for(lambda: not workers(os.getpid()))
        assert 0 < len(outcome(root)) < len(expected)
        killed: list[int] = []
        threading.Thread(target=kill_a_worker, args=(killed,), daemon=True).start()
        assert main([*WORDS, *on_ray(root, made.address)]) == 0
    assert killed
    assert outcome(root) == expected
    assert not list(root.glob("claims/*"))
    assert "a worker ended before its" in capsys.readouterr().err
