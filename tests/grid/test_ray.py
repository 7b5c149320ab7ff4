"""A grid on a real Ray: its driver is stopped, then killed, then a worker; the end is that of an ordinary run.

Masks that are learnt in the training loop are among its searches.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs Ray: pip install 'pruning-sanity[ray]'")

from ray.autoscaler.sdk import request_resources

from sanity.run import main
from tests.forked import forked
from tests.grid.ray_faults import GRID, cluster, end, on_ray, wait_for, workers
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


class Driver:
    """The command in a child of this process, which has imported all it needs, in a group of its own.

    It is made before this process starts a cluster, whose threads would not survive in a child, and waits for its
    address.
    """

    def __init__(self, root: Path, errors: Path) -> None:
        reading, self._address = os.pipe()

        def driven() -> int:
            os.setpgid(0, 0)
            address = os.read(reading, 100).decode()
            with Path(os.devnull).open("w") as nothing, errors.open("w", buffering=1) as lines:
                sys.stdout, sys.stderr = nothing, lines
                return main([*WORDS, *on_ray(root, address), "ray.workers=1"]) if address else 0

        self.number = forked(driven)

    def start(self, address: str) -> None:
        """Has it run on a cluster."""
        os.write(self._address, address.encode())

    def ended(self) -> int:
        """Its exit code; minus the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])


def test_a_stopped_and_a_killed_driver_and_a_killed_worker_change_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, root, errors = tmp_path / "alone", tmp_path / "results", tmp_path / "errors"
    assert main([*WORDS, f"results_dir={alone}"]) == 0
    expected = end(alone)
    trainings, masks = expected
    assert len(masks) > 2
    stopped, first = Driver(root, errors), Driver(root, errors)
    with cluster(cpus=2) as made:
        stopped.start(made.address)
        wait_for(lambda: workers(os.getpid(), at_work=True))
        os.killpg(stopped.number, signal.SIGINT)  # as a terminal does
        assert stopped.ended() == 130
        *said, last = errors.read_text().splitlines()  # a training may end meanwhile, and say so
        assert "stopping after the step or search at hand; Ctrl-C again stops at once" in said
        assert last == "stopped; the same command goes on from the last checkpoint"
        assert len(outcome(root)) < len(trainings)
        assert not list(root.glob("claims/*"))

        first.start(made.address)
        wait_for(lambda: outcome(root))
        os.kill(first.number, signal.SIGKILL)
        assert first.ended() == -signal.SIGKILL
        wait_for(lambda: not workers(os.getpid()))
        assert 0 < len(outcome(root)) < len(trainings)

        killed: list[int] = []
        asked: list[int] = []

        def request(bundles: list[dict[str, float]]) -> None:
            asked.append(len(bundles))
            request_resources(bundles=bundles)

        monkeypatch.setattr("sanity.grid.ray_pool.request_resources", request)
        threading.Thread(target=kill_a_worker, args=(killed,), daemon=True).start()
        assert main([*WORDS, *on_ray(root, made.address)]) == 0
    assert killed
    assert end(root) == expected
    assert not list(root.glob("claims/*"))
    assert "a worker ended before its" in capfd.readouterr().err
    assert max(asked) > 2, "more than this cluster has room for"
    assert asked[-1] == 0
