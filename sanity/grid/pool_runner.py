"""Runs a grid on a pool of workers: hands out tasks that can run, notes what came of them, and writes the records."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sanity.errors import Interrupted
from sanity.grid import cell_records, scratch
from sanity.grid.cell_records import has_ended, reason_of, trace_of
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.grid.graph import Graph, Node
from sanity.grid.pool_worker import Died, Report, Setup
from sanity.grid.progress import Reporter
from sanity.grid.work import Job, Outcome
from sanity.training.cpu_threads import limited

if TYPE_CHECKING:
    from sanity.grid.ray_pool import Member, Pool

log = logging.getLogger("sanity")
_LOOK_S = 1.0
"""How long the runner waits for workers before it looks whether it is to stop, and whether machines came or left."""
_LATER_S = 2.0
"""After how long a task is tried again whose result another run makes, or whose input a file server does not show."""


class PoolRunner:
    """Runs a grid once, as `Runner` does. Workers make the results; this process writes the records of cells."""

    def __init__(self, experiment: Experiment, reporter: Reporter, stop: Callable[[], bool], pool: "Pool") -> None:
        self.experiment, self.reporter, self.stop, self.pool = experiment, reporter, stop, pool
        with limited(pool.options.cpus_per_run):
            self.most = experiment.side_by_side
        self.graph = Graph([], experiment, self.most)
        self.setup = Setup.of(experiment, pool.options.cpus_per_run)
        self.running: dict[Member, list[Node]] = {}
        self.later: list[tuple[float, Node]] = []
        """Tasks that are tried again, each with the time from when."""
        self.losses: Counter[Node] = Counter()
        """How often the worker of a task ended before the task did, or the store had not what it needs."""

    def run(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """Runs `cells` and returns their records in order; a cell that failed has status `failed` and a reason.

        Raises `Interrupted` if `stop` returns true, once all workers have saved their state.
        """
        ahead = [cell for cell in cells if not has_ended(cell, self.experiment)]
        self.reporter.found(len(cells) - len(ahead), len(cells))
        self.graph = Graph(ahead, self.experiment, self.most)
        for cell, error in self.graph.errors.items():
            self._fail_cell(cell, reason_of(error), trace_of(error))
        while not self.graph.is_done:
            if self.stop():
                self._drain()
            self._hand_out()
            self._receive()
            self._show()
        return [cell_records.row(cell, self.experiment) for cell in cells]

    def _hand_out(self) -> None:
        """Hands tasks that can run to workers that have nothing to do."""
        now = time.monotonic()
        for _, node in [entry for entry in self.later if entry[0] <= now]:
            self.graph.put_back(node)
        self.later = [entry for entry in self.later if entry[0] > now]
        slots = self.pool.grow(self.graph.counts["ready"] + self.graph.counts["running"])
        for member in self.pool.idle():
            batch = self.graph.take(slots)
            if not batch:
                return
            jobs = [self.graph.job(node) for node in batch]
            self.running[member] = batch
            self.pool.hand(member, self.setup, jobs, self._files(member, jobs))

    def _files(self, member: "Member", jobs: Sequence[Job]) -> Mapping[scratch.Folder, scratch.Files] | None:
        """Returns the results that a worker lacks for these tasks; None where it reads them from the shared folder.

        A result that it made is sent as well once others have added files to it, such as weights at a moment.
        """
        if self.pool.options.shared_folder:
            return None
        needed = scratch.needed_by(jobs, self.experiment)
        held = {folder: member.holds.get(folder, frozenset()) for folder in needed}
        lacking = [folder for folder, names in held.items() if not scratch.names(folder, self.experiment) <= names]
        return scratch.read(lacking, self.experiment)

    def _receive(self) -> None:
        """Waits for workers, and notes what came of their tasks."""
        for member, answer in self.pool.wait(_LOOK_S):
            nodes = self.running.pop(member, [])
            if isinstance(answer, Died):
                if nodes:
                    self.reporter.tell(f"a worker ended before its {len(nodes)} tasks did: {answer.reason}")
                for node in nodes:
                    self._lost(node, f"its worker ended {self.losses[node] + 1} times: {answer.reason}", alone=True)
                continue
            self._note(member, nodes, answer)

    def _note(self, member: "Member", nodes: Sequence[Node], report: Report) -> None:
        for level, line in report.lines:
            log.log(level, "%s", line)
        for name, arguments in report.curves:
            getattr(self.reporter.tracking, name)(*arguments)
        if report.refused:
            self._exclude(member, report.refused)
            for node in nodes:
                self.graph.put_back(node)
            return
        complete = scratch.collect(report.files, self.experiment)
        member.holds |= {
            folder: frozenset(files)
            for folder, files in report.files.items()
            if {"record.json", "ticket.json"} & files.keys()  # it is finished
        }
        for node, outcome in zip(nodes, report.outcomes, strict=True):
            self._conclude(member, node, outcome if complete or outcome.state != "done" else Outcome("elsewhere"))

    def _conclude(self, member: "Member", node: Node, outcome: Outcome) -> None:
        if outcome.state == "done":
            if isinstance(node, Cell):
                cell_records.write(node, outcome.record or {}, self.experiment)
            self.graph.done(node)
        elif outcome.state == "failed":
            self._fail(node, outcome.reason, outcome.trace)
        elif outcome.state == "more":
            assert outcome.more is not None
            self.reporter.expect(len(outcome.more.moments))
            self.graph.wait_for(node, outcome.more)
        elif outcome.state == "elsewhere":
            self.later.append((time.monotonic() + _LATER_S, node))
        elif outcome.state == "absent":
            self._lost(node, outcome.reason, after_s=_LATER_S)
        else:
            if outcome.state == "disk":
                self._exclude(member, outcome.reason)
            self.graph.put_back(node)

    def _lost(self, node: Node, reason: str, alone: bool = False, after_s: float = 0.0) -> None:
        """Has a task tried again that did not get to its end, unless it was tried too often."""
        self.losses[node] += 1
        if self.losses[node] > self.pool.options.retries:
            self._fail(node, reason, f"{reason}\nNo more than ray.retries={self.pool.options.retries} are tried.\n")
        elif after_s:
            self.later.append((time.monotonic() + after_s, node))
        else:
            self.graph.put_back(node, alone=alone)

    def _exclude(self, member: "Member", reason: str) -> None:
        if member.node not in self.pool.excluded:
            self.reporter.tell(f"a machine gets no further tasks: {reason}")
        self.pool.exclude(member.node, reason)

    def _fail(self, node: Node, reason: str, trace: str) -> None:
        for cell in self.graph.fail(node):
            self._fail_cell(cell, reason, trace)

    def _fail_cell(self, cell: Cell, reason: str, trace: str) -> None:
        cell_records.fail(cell, reason, trace, self.experiment, self.reporter)

    def _drain(self) -> None:
        """Has all workers save their state, and waits for them. Raises `Interrupted`."""
        self.pool.stop()
        while self.pool.busy:
            self._receive()
        raise Interrupted

    def _show(self) -> None:
        """Shows one line for all workers."""
        counts, later = self.graph.counts, len(self.later)
        waiting = counts["waiting"] + counts["ready"] + later
        running = f"{counts['running'] - later} tasks running on {len(self.pool.busy)} workers"
        self.reporter.of_workers(f"{running}, {waiting} waiting, {counts['done']} done", *self.pool.epochs())
