"""A grid on a pool of workers comes to the results of an ordinary run, whatever becomes of the workers."""

import json
import logging
import os
import random
import signal
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sanity.config import from_mapping
from sanity.config.engines import RayOptions
from sanity.console.trackers import TrackedRun
from sanity.grid import scratch
from sanity.grid.graph import Graph
from sanity.grid.pool_runner import PoolRunner
from sanity.grid.pool_worker import Curves, Died, Report
from sanity.grid.progress import Reporter
from sanity.grid.task import MaskSearch
from sanity.grid.tasks import tasks
from sanity.grid.work import Job
from sanity.run import main, prepare, run
from sanity.training.loop import Interrupted
from tests.grid.pools import Before, Fuse, Member, PoolHere, same
from tests.grid.ray_faults import end
from tests.test_interruption import Outcome as Outcomes
from tests.test_interruption import outcome

KEYS: dict[str, Any] = {
    "model": "lenet_300_100", "recipe.epochs": 2, "dataset.limit": 200, "dataset.test_limit": 100, "seeds": 0,
    "device": "cpu", "ratio": 0.8, "methods": "dense,snip,partially_trained,early_bird", "deterministic": True,
    "checks": "layerwise_rearrange", "partially_trained.rewind": "weights", "partially_trained.rewind_epoch": 1,
    "early_bird.pattern": "unstructured", "early_bird.window": 2, "early_bird.distance": 1.0,
}  # fmt: skip
SNIP = {
    **{key: value for key, value in KEYS.items() if not key.startswith(("partially_trained.", "early_bird."))},
    "methods": "snip", "seeds": "0,1",
}  # fmt: skip
Cells = dict[str, dict[str, Any]]


def cells(root: Path) -> Cells:
    """The records of the cells, without times."""
    records = {path.stem: json.loads(path.read_text()) for path in root.glob("cells/*.json")}
    varying = ("checksum", "search_s")
    return {name: {key: record[key] for key in record if key not in varying} for name, record in records.items()}


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcomes, Cells]:
    root = tmp_path_factory.mktemp("ordinary")
    run({**KEYS, "results_dir": str(root)})
    return outcome(root), cells(root)


@pytest.fixture(scope="module")
def of_snip(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    root = tmp_path_factory.mktemp("snip")
    run({**SNIP, "results_dir": str(root)})
    return outcome(root)


def on_pool(
    keys: dict[str, Any], root: Path, before: Before = lambda member, jobs: None, workers: int = 3, **options: Any
) -> tuple[list[dict[str, Any]], PoolHere]:
    """Runs a grid on a pool in this process."""
    pool = PoolHere(RayOptions(**options), workers, before)
    experiment, asked = prepare(from_mapping({**keys, "results_dir": str(root)}))
    runner = PoolRunner(experiment, Reporter(0, None, None), lambda: False, pool)  # type: ignore[arg-type]
    return runner.run(asked), pool


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanity.grid.pool_runner._LATER_S", 0.0)


@pytest.mark.parametrize("shared", [True, False])
def test_workers_that_are_lost_at_random_change_nothing(
    shared: bool, ordinary: tuple[Outcomes, Cells], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = iter(range(10**6))
    monkeypatch.setattr(scratch, "folder", lambda: tmp_path / f"worker {next(folders)}")
    chance = random.Random(1)

    def before(member: Member, jobs: Sequence[Job]) -> Report | Died | None:
        if chance.random() < 0.25:
            return Died("killed")
        return same("elsewhere")(jobs) if chance.random() < 0.1 else None

    rows, pool = on_pool(KEYS, tmp_path / "results", before, shared_folder=shared, retries=20)
    assert {row["status"] for row in rows} == {"done"}
    assert (outcome(tmp_path / "results"), cells(tmp_path / "results")) == ordinary
    assert pool.started > 5
    assert not list((tmp_path / "results").glob("claims/*"))
    assert shared != any(tmp_path.glob("worker *"))


@pytest.mark.parametrize("shared", [True, False])
def test_masks_that_are_learnt_survive_workers_that_are_killed_while_they_learn(
    shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = iter(range(10**6))
    monkeypatch.setattr(scratch, "folder", lambda: tmp_path / f"worker {next(folders)}")
    keys = {
        **SNIP, "methods": "edge_popup,gem_miner", "checks": "none", "seeds": 0, "recipe.epochs": 1,
        "recipe.batch_size": 50, "edge_popup.epochs": 4, "gem_miner.epochs": 4, "gem_miner.period": 2,
        "checkpoint_minutes": 0,
    }  # fmt: skip
    run({**keys, "results_dir": str(tmp_path / "ordinary")})
    struck: list[int] = []

    def before(member: Member, jobs: Sequence[Job]) -> None:
        if len(struck) < 3 and isinstance(jobs[0].task, MaskSearch):
            member.worker._stop = Fuse(3 + 4 * len(struck))  # type: ignore[assignment]
            struck.append(len(jobs))

    root = tmp_path / "results"
    on_pool(keys, root, before, workers=1, shared_folder=shared)
    assert len(struck) == 3
    assert end(root) == end(tmp_path / "ordinary")
    assert cells(root) == cells(tmp_path / "ordinary")
    learnt = [json.loads(path.read_text())["learnt"] for path in root.glob("tickets/*/ticket.json")]
    assert shared == any(search["resumed_from"] for search in learnt), "else it is lost with its worker"
    assert not list(root.glob("tickets/*/checkpoint*"))


def test_trainings_that_go_side_by_side_are_handed_out_together(tmp_path: Path) -> None:
    keys = {**SNIP, "seeds": "0-3", "checks": "none", "recipe.epochs": 1, "deterministic": False, "runs_per_device": 1}
    _, pool = on_pool(keys, tmp_path / "one", workers=1)
    assert max(map(len, pool.batches)) == 4  # a stack
    _, pool = on_pool(keys, tmp_path / "four", workers=4)
    assert max(map(len, pool.batches)) == 1  # each worker has its share


def test_a_task_that_ends_its_worker_fails_alone(tmp_path: Path) -> None:
    tried: list[int] = []

    def before(member: Member, jobs: Sequence[Job]) -> Report | Died | None:
        bad = any("seed 1" in job.title for job in jobs)
        tried.extend([len(jobs)] * bad)
        return Died("out of memory") if bad else None

    keys = {**SNIP, "checks": "none"}
    rows, _ = on_pool(keys, tmp_path, before, workers=1, retries=2)
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert rows[1]["reason"] == "its worker ended 3 times: out of memory"
    assert tried == [2, 1, 1]
    rows, _ = on_pool(keys, tmp_path)  # again: what failed is tried again
    assert [row["status"] for row in rows] == ["done", "done"]


def test_a_machine_whose_disk_is_full_gets_no_further_tasks(
    of_snip: Outcomes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def before(member: Member, jobs: Sequence[Job]) -> Report | Died | None:
        return same("disk")(jobs) if member.node == "first" else None

    with caplog.at_level(logging.INFO, "sanity"):
        rows, pool = on_pool(SNIP, tmp_path, before)
    assert {row["status"] for row in rows} == {"done"}
    assert list(pool.excluded) == ["first"]
    assert [line for line in caplog.messages if "disk" in line] == ["a machine gets no further tasks: it is disk"]
    assert outcome(tmp_path) == of_snip


def test_what_fails_in_a_worker_fails_its_cells_with_the_same_record(tmp_path: Path) -> None:
    (tmp_path / "ownmethods.py").write_text(
        "from methods.base import Method\n"
        "class Broken(Method):\n"
        "    def saliency(self, net, batches, generator):\n"
        "        raise ZeroDivisionError('no score')\n"
    )
    keys = {**SNIP, "methods": "snip,ownmethods:Broken", "seeds": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        patch.chdir(tmp_path)
        run({**keys, "results_dir": str(tmp_path / "ordinary")})
        on_pool(keys, tmp_path / "pool")
    assert cells(tmp_path / "pool") == cells(tmp_path / "ordinary")
    assert sum(record.get("status") == "failed" for record in cells(tmp_path / "pool").values()) == 2
    traces = [path.read_text() for path in (tmp_path / "pool").glob("cells/*.log")]
    assert len(traces) == 2
    assert all("ZeroDivisionError" in trace and "saliency" in trace for trace in traces)


@pytest.mark.parametrize("shared", [True, False])
def test_a_run_that_is_stopped_drains_and_goes_on(
    shared: bool, of_snip: Outcomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "folder", lambda: tmp_path / "worker")
    root = tmp_path / "results"
    experiment, asked = prepare(from_mapping({**SNIP, "results_dir": str(root)}))
    pool = PoolHere(RayOptions(shared_folder=shared), 2)

    def stop() -> bool:
        return len(outcome(root)) >= 1

    runner = PoolRunner(experiment, Reporter(0, None, None), stop, pool)  # type: ignore[arg-type]
    with pytest.raises(Interrupted):
        runner.run(asked)
    assert not pool.busy
    assert 1 <= len(outcome(root)) < 4
    on_pool(SNIP, root)
    assert outcome(root) == of_snip


def test_a_second_interrupt_leaves_while_the_first_still_drains(
    of_snip: Outcomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers hear of the first; the second waits for none of them, and what they were at is lost or goes on."""
    hit: list[int] = []

    def interrupt(member: Member, jobs: Sequence[Job]) -> None:
        hit.append(len(outcome(tmp_path)))
        os.kill(os.getpid(), signal.SIGINT)

    pool: Any = PoolHere(RayOptions(), 2, before=interrupt)
    with monkeypatch.context() as patched:
        patched.setattr("sanity.grid.execution.engine", lambda _: nullcontext(partial(PoolRunner, pool=pool)))
        words = [f"{key}={value}" for key, value in {**SNIP, "results_dir": tmp_path}.items()]
        assert main(words) == 130
    assert len(hit) == 2
    assert pool.busy, "its tasks have not ended"
    assert "stopped; the same command goes on from the last checkpoint" in capsys.readouterr().err
    on_pool(SNIP, tmp_path)
    assert outcome(tmp_path) == of_snip


def test_a_machine_with_other_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identities = iter(["of the run", "of the first machine"])
    monkeypatch.setattr("sanity.grid.pool_worker._identity", lambda experiment: next(identities, "of the run"))
    rows, pool = on_pool({**SNIP, "seeds": 0, "checks": "none"}, tmp_path, workers=1)
    assert [row["status"] for row in rows] == ["done"]
    assert "differ from those of the machine where the run was started" in pool.excluded["first"]


def test_seeds_that_are_spent_in_rounds_are_the_same_on_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {
        **SNIP, "seeds": "auto", "max_seeds": 4, "margin": 0.01, "dataset.limit": 100, "recipe.epochs": 1
    }  # fmt: skip
    alone = run({**keys, "results_dir": str(tmp_path / "alone")})
    pool: Any = PoolHere(RayOptions(), 2)
    monkeypatch.setattr("sanity.grid.rounds.engine", lambda config: nullcontext(partial(PoolRunner, pool=pool)))
    frame = run({**keys, "results_dir": str(tmp_path / "pool")})
    assert pool.batches
    assert len(frame) == 8
    assert list(frame["digest"]) == list(alone["digest"])
    assert list(frame["cell"]) == list(alone["cell"])


def test_a_tracker_gets_the_curves_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, int]] = []

    class Noted(Curves):
        def epoch(self, run: TrackedRun, row: Mapping[str, Any]) -> None:
            sent.append((run.name, row["epoch"]))

    keys = {**SNIP, "checks": "none", "seeds": 0, "track": "tensorboard", "results_dir": str(tmp_path)}
    experiment, asked = prepare(from_mapping(keys))
    reporter = Reporter(0, None, None, Noted(on=True))
    PoolRunner(experiment, reporter, lambda: False, PoolHere(RayOptions(), 1)).run(asked)  # type: ignore[arg-type]
    assert [epoch for _, epoch in sent] == [1, 2]


def test_the_graph_runs_a_task_once_for_all_cells(tmp_path: Path) -> None:
    experiment, asked = prepare(from_mapping({**KEYS, "results_dir": str(tmp_path)}))
    graph = Graph(asked, experiment, 1)
    assert graph.counts.total() == graph.counts["waiting"] + graph.counts["ready"]
    names = [graph.job(node).task.name for batch in iter(lambda: graph.take(1), []) for node in batch]
    assert len(names) == len(set(names)) > 0
    assert graph.counts["running"] == len(names)


def test_a_worker_gets_what_was_added_to_a_result_that_it_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a shared folder; here another run adds the weights after the first epoch to the dense training."""
    monkeypatch.setattr(scratch, "folder", lambda: tmp_path / "worker")
    root = tmp_path / "results"
    alone = {**SNIP, "methods": "dense", "checks": "none", "seeds": 0}
    _, pool = on_pool(alone, root, workers=1, shared_folder=False)
    member: Any = pool.members[0]
    (training,) = root.glob("trainings/*")
    folder = ("trainings", training.name)
    rewinding = {
        **alone,
        "methods": "partially_trained",
        "partially_trained.rewind": "weights",
        "results_dir": str(root),
    }
    rewinding["partially_trained.rewind_epoch"] = 1
    experiment, asked = prepare(from_mapping(rewinding))
    runner = PoolRunner(experiment, Reporter(0, None, None), lambda: False, pool)  # type: ignore[arg-type]
    jobs = [Job(task, "a task") for task in tasks(asked[0], experiment)[0]]
    assert folder not in (runner._files(member, jobs) or {})
    run(rewinding)
    added = {path.name for path in training.glob("at_*")}
    assert added
    assert added <= (runner._files(member, jobs) or {}).get(folder, {}).keys()
