"""Claims: one live process at a time has each, none is lost, and those of dead processes are taken over."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from sanity.errors import CannotWrite
from sanity.store import claims as claims_module
from sanity.store.claims import DEAD_AFTER_S, Claims
from sanity.store.files import sweep, write_atomically
from sanity.store.processes import Process, current
from tests.forked import forked

KEYS = [f"{number:020x}" for number in range(12)]


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    yield
    for claim in list(claims_module._heart._claims):
        claim.release()


def other_machine(root: Path, key: str, age: float) -> Path:
    """The claim of a process of another machine, whose last heartbeat was `age` seconds ago."""
    path = root / "claims" / f"cells-{key}" / f"{replace(current(), host='far', machine='0' * 8).name}.ab12cd34"
    path.parent.mkdir(parents=True)
    path.touch()
    beat = path.stat().st_mtime - age
    os.utime(path, (beat, beat))
    return path


def killed_holder(root: Path, key: str) -> None:
    """Lets a process take a claim and kills it before it can release it."""
    take = f"from sanity.store.claims import Claims; held = Claims({str(root)!r}).take('cells', {key!r}); assert held"
    subprocess.run([sys.executable, "-c", f"{take}; import os; os.kill(os.getpid(), 9)"], check=False)


def test_a_claim_is_exclusive_until_it_is_released(tmp_path: Path) -> None:
    first, second = Claims(tmp_path), Claims(tmp_path)
    with first.take("cells", "a") or pytest.fail("is free") as claim:
        assert claim.is_held()
        assert second.take("cells", "a") is None
        assert second.holder("cells", "a") == current()
        assert str(second.holder("cells", "a")) == f"process {os.getpid()} on {current().host}"
        assert second.take("trainings", "a") is not None
    assert second.holder("cells", "a") is None
    assert second.take("cells", "a") is not None


def test_the_claim_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    killed_holder(tmp_path, "a")
    assert len(list(tmp_path.glob("claims/cells-a/*"))) == 1
    assert Claims(tmp_path).holder("cells", "a") is None
    assert Claims(tmp_path).take("cells", "a") is not None


def test_a_pid_that_another_process_has_now_is_no_sign_of_life(tmp_path: Path) -> None:
    earlier = replace(current(), started=current().started + 1)
    path = tmp_path / "claims" / "cells-a" / f"{earlier.name}.ab12cd34"
    path.parent.mkdir(parents=True)
    path.touch()
    assert Claims(tmp_path).take("cells", "a") is not None


@pytest.mark.parametrize(("age", "alive"), [(DEAD_AFTER_S - 20, True), (DEAD_AFTER_S + 20, False)])
def test_on_another_machine_the_heartbeat_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, alive: bool
) -> None:
    """By the clock of the file system, whatever the local one says."""
    other_machine(tmp_path, "a", age)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    claims = Claims(tmp_path)
    holder = claims.holder("cells", "a")
    assert (holder is not None and holder.host == "far") is alive
    assert (claims.take("cells", "a") is None) is alive


def test_one_thread_sends_the_heartbeats_of_all_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_module, "HEARTBEAT_S", 0.05)
    claims = [Claims(tmp_path).take("cells", key) or pytest.fail("is free") for key in KEYS]
    files = list(tmp_path.glob("claims/*/*"))
    for path in files:
        os.utime(path, (0, 0))
    assert sum("heartbeat" in thread.name for thread in threading.enumerate()) == 1
    deadline = time.monotonic() + 10
    while any(path.stat().st_mtime == 0 for path in files):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for claim in claims:
        claim.release()
    while any("heartbeat" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not list(tmp_path.glob("claims/*"))


def test_a_holder_notices_that_its_claim_was_taken_over_and_leaves_it_alone(tmp_path: Path) -> None:
    claim = Claims(tmp_path).take("cells", "a") or pytest.fail("is free")
    (path,) = tmp_path.glob("claims/cells-a/*")
    taken = path.rename(path.with_name(f"{replace(current(), host='far', machine='0' * 8).name}.ab12cd34"))
    assert not claim.is_held()
    assert claim.lost
    claim.release()
    assert taken.exists()


def test_a_forked_child_does_not_release_what_its_parent_holds(tmp_path: Path) -> None:
    claim = Claims(tmp_path).take("cells", "a") or pytest.fail("is free")

    def child() -> int:
        claim.release()
        free = Claims(tmp_path).take("cells", "a") is not None
        own = Claims(tmp_path).take("cells", "b") or pytest.fail("is free")
        own.release()
        return free

    assert os.waitpid(forked(child), 0)[1] == 0
    assert claim.is_held()


def test_what_is_no_claim_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "claims").write_text("a file")
    assert Claims(tmp_path).take("cells", "a") is not None
    (tmp_path / "claims" / "cells-b").write_text("a file")
    (tmp_path / "claims" / "cells-c").mkdir()
    (tmp_path / "claims" / "cells-d").mkdir()
    (tmp_path / "claims" / "cells-d" / ".nfs0001").touch()
    assert all(Claims(tmp_path).take("cells", key) for key in "bcd")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(CannotWrite, match=r"results/claims: Not a directory"):
        Claims(tmp_path / "results").take("cells", "a")


def test_half_made_claims_of_dead_processes_are_swept(tmp_path: Path) -> None:
    dead = replace(current(), started=current().started + 1)
    for process in (dead, current()):
        (tmp_path / "claims" / f".{process.name}.ab12cd34").mkdir(parents=True)
        (tmp_path / "claims" / f".{process.name}.ab12cd34" / f"{process.name}.ab12cd34").touch()
    Claims(tmp_path).sweep()
    assert [path.name for path in tmp_path.glob("claims/.*")] == [f".{current().name}.ab12cd34"]


def test_one_of_many_takers_gets_a_dead_claim(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    for key in KEYS[:5]:
        other_machine(tmp_path, key, DEAD_AFTER_S + 20)
        ready, results = fork.Barrier(6), fork.SimpleQueue()

        def take(key: str = key, ready: Barrier = ready, results: "SimpleQueue[bool]" = results) -> None:
            ready.wait()
            results.put(Claims(tmp_path).take("cells", key) is not None)
            ready.wait()  # a claim of a process that has ended could be taken over

        takers = [fork.Process(target=take) for _ in range(6)]
        for taker in takers:
            taker.start()
        assert sum(results.get() for _ in takers) == 1
        for taker in takers:
            taker.join()


def half_of(process: Process | str, folder: Path, age: float = 0.0) -> Path:
    name = process if isinstance(process, str) else f"{process.name}.ab12cd34"
    path = folder / f".weights.safetensors.{name}.half"
    path.touch()
    written = path.stat().st_mtime - age
    os.utime(path, (written, written))
    return path


def test_only_halves_of_dead_processes_are_swept(tmp_path: Path) -> None:
    dead, far = replace(current(), started=current().started + 1), replace(current(), host="far", machine="0" * 8)
    kept = {half_of(current(), tmp_path, 9999), half_of(far, tmp_path), half_of("x1y2z3w4", tmp_path)}
    (tmp_path / "trainings").mkdir()
    half_of(dead, tmp_path)
    half_of(replace(far, pid=1), tmp_path, 9999)
    half_of("a1b2c3d4", tmp_path, 9999)
    sweep(tmp_path)
    assert set(tmp_path.rglob("*.half")) == kept


def test_a_file_in_the_making_survives_the_sweep_of_another_process(tmp_path: Path) -> None:
    """Otherwise a second run would make the first fail."""
    begun, swept = multiprocessing.Event(), multiprocessing.Event()

    def write() -> None:
        from sanity.store.files import replacing

        with replacing(tmp_path / "record.json") as half:
            begun.set()
            swept.wait(10)
            half.write_text("whole")

    writer = multiprocessing.get_context("fork").Process(target=write)
    writer.start()
    begun.wait(10)
    sweep(tmp_path)
    swept.set()
    writer.join()
    assert (tmp_path / "record.json").read_text() == "whole"


def lives(pid: str) -> bool:
    """Whether there is such a process and it is no zombie."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return ") Z" not in status.read_text()
    except OSError:
        return False


def work(root: Path, seed: int) -> None:
    """Makes every result once: `done` gets a line for each that was finished, `broken` for each claim held by two."""
    chance, claims = random.Random(seed), Claims(root)
    while missing := [key for key in KEYS if not (root / key).exists()]:
        key = chance.choice(missing)
        claim = claims.take("cells", key)
        if claim is None:
            time.sleep(0.001)
            continue
        with claim:
            if (root / key).exists():
                continue
            busy = root / f"{key}.busy"
            if busy.exists() and lives(busy.read_text()):
                (root / "broken").open("a").write(f"{key}\n")
            busy.write_text(str(os.getpid()))
            time.sleep(chance.uniform(0, 0.02))
            if busy.read_text() != str(os.getpid()):
                (root / "broken").open("a").write(f"{key}\n")
            write_atomically(root / key, "made")
            (root / "done").open("a").write(f"{key}\n")
            busy.unlink()


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc, to see which processes live")
@pytest.mark.parametrize("seed", range(3))
def test_many_processes_that_are_killed_make_every_result_once(tmp_path: Path, seed: int) -> None:
    fork, chance = multiprocessing.get_context("fork"), random.Random(seed)
    workers = [fork.Process(target=work, args=(tmp_path, number)) for number in range(5)]
    for worker in workers:
        worker.start()
    killed = 0
    while any(worker.is_alive() for worker in workers):
        time.sleep(chance.uniform(0, 0.03))
        victim = chance.randrange(len(workers))
        if killed < 8 and workers[victim].is_alive():
            os.kill(workers[victim].pid or 0, signal.SIGKILL)
            killed += 1
            workers[victim] = fork.Process(target=work, args=(tmp_path, 100 + killed))
            workers[victim].start()
    assert all(worker.exitcode == 0 for worker in workers)
    assert not (tmp_path / "broken").exists()
    made = Counter((tmp_path / "done").read_text().split())
    assert all((tmp_path / key).exists() for key in KEYS)
    assert max(made.values()) == 1
    Claims(tmp_path).sweep()
    assert all(Claims(tmp_path).holder("cells", key) is None for key in KEYS)
