"""Kills workers and drivers of a grid on a real Ray, and lets machines leave, at random moments.

    python -m tests.grid.ray_faults FOLDER [KILLS] [SHARED]

runs until so many processes were killed (30), on two nodes in one machine, and compares masks and trainings with those
of an ordinary run. SHARED=false: workers send their results to the driver. `test_ray.py` is the short form.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from sanity.run import main
from sanity.store import tensor_files
from tests.test_interruption import Outcome, outcome

GRID = [
    "methods=dense,edge_popup,gem_miner,partially_trained", "checks=layerwise_rearrange", "ratio=0.9",
    "model=lenet_300_100", "recipe.epochs=6", "dataset.limit=200", "dataset.test_limit=100", "edge_popup.epochs=4",
    "gem_miner.epochs=4", "gem_miner.period=2", "partially_trained.rewind=weights",
    "partially_trained.rewind_epoch=1", "deterministic=true", "checkpoint_minutes=0", "device=cpu",
]  # fmt: skip
_NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}


BUSY = {
    "RAY_worker_niceness": "0",
    "RAY_raylet_start_wait_time_s": "200",
    "RAY_gcs_server_request_timeout_seconds": "200",
}
"""Settings of Ray for a machine with other work: its workers do not wait for all else, and a node may take long."""


@contextmanager
def cluster(cpus: int = 1) -> Iterator[Any]:
    """A cluster of one node in this machine, as `ray.cluster_utils` makes it."""
    os.environ |= BUSY
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**_NODE, "num_cpus": cpus})
    try:
        yield made
    finally:
        made.shutdown()


def masks(root: Path) -> dict[str, str]:
    """The digest of every mask that a search has found."""
    paths = (path.with_name("mask.safetensors") for path in root.glob("tickets/*/ticket.json"))
    return {path.parent.name: tensor_files.digest(load_file(path)) for path in paths}


def end(root: Path) -> tuple[Outcome, dict[str, str]]:
    """What every training and every search of a folder came to."""
    return outcome(root), masks(root)


def driver(words: list[str], root: Path, address: str) -> "subprocess.Popen[bytes]":
    """A run on the cluster in a process of its own."""
    command = [sys.executable, "-m", "sanity.run", *words, *on_ray(root, address)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def on_ray(root: Path, address: str) -> list[str]:
    """The words that have a grid run on the cluster."""
    return [f"results_dir={root}", "engine=ray", f"ray.address={address}", "ray.retries=40"]


def workers(of: int, at_work: bool = False) -> list[int]:
    """The workers of a run among all descendants of a process; at_work: those that run tasks at the moment."""
    title = "RayWorker.work" if at_work else "RayWorker"
    return [child for child in _descendants(of) if title in _command(child)]


def _descendants(process: int) -> Iterator[int]:
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, _text(path).split()):
            yield child
            yield from _descendants(child)


def _command(process: int) -> str:
    return _text(Path(f"/proc/{process}/cmdline"))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def wait_for(condition: Callable[[], object], seconds: float = 400.0) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def join(made: Any) -> Any:
    """Adds a node to the cluster; on a machine with much other work Ray gives up on one now and then."""
    for _ in range(9):
        with suppress(Exception):  # Ray raises a plain one
            return made.add_node(**_NODE)
    return made.add_node(**_NODE)


def strike(root: Path, kills: int, shared: bool, chance: random.Random) -> tuple[Counter[str], list[Path]]:
    """Runs the grid again and again until so many processes were killed; returns what was done, and the folders."""
    words = [*GRID, "seeds=0-5", f"ray.shared_folder={str(shared).lower()}"]
    counts: Counter[str] = Counter()
    folders = [root / "0"]
    with cluster() as made:
        second = join(made)
        child = driver(words, folders[-1], made.address)
        while True:
            time.sleep(chance.uniform(0.2, 6.0))
            if child.poll() is not None:
                counts[f"driver ended with {child.returncode}"] += 1
                if child.returncode == 0:
                    if sum(counts[name] for name in ("worker", "driver", "driver stopped")) >= kills:
                        return counts, folders
                    folders.append(root / str(len(folders)))
                child = driver(words, folders[-1], made.address)
                continue
            if sum(counts[name] for name in ("worker", "driver", "driver stopped")) >= kills:
                continue
            blow = chance.choices(["worker", "driver", "driver stopped", "node"], [12, 3, 1, 1])[0]
            running = workers(os.getpid())
            if not running or (chance.random() < 0.9 and not workers(os.getpid(), at_work=True)):
                continue  # it is still starting, where few blows are to fall
            if blow == "worker":
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(running), signal.SIGKILL)
            elif blow == "node":
                made.remove_node(second, allow_graceful=False)
                second = join(made)
            else:
                child.send_signal(signal.SIGKILL if blow == "driver" else signal.SIGTERM)
                child.wait()
            counts[blow] += 1
            print(f"{time.strftime('%H:%M:%S')} {dict(counts)}, {len(outcome(folders[-1]))} trainings", flush=True)


def prove(root: Path, kills: int, shared: bool) -> bool:
    """Whether all grids that were struck come to what an undisturbed run comes to."""
    counts, folders = strike(root / f"struck-{shared}", kills, shared, random.Random(0))
    assert main([*GRID, "seeds=0-5", f"results_dir={root / 'alone'}"]) == 0
    expected = end(root / "alone")
    equal = [end(folder) == expected for folder in folders]
    size = f"{len(expected[0])} trainings and {len(expected[1])} masks"
    print(f"{dict(counts)}; {len(folders)} grids of {size}, {sum(equal)} bit-equal")
    return all(equal)


if __name__ == "__main__":
    where, *rest = sys.argv[1:]
    sys.exit(not prove(Path(where), int(rest[0]) if rest else 30, "false" not in rest))
