"""Holds the tasks of a grid with what each waits for, and hands out those that can run, in batches of one kind."""

import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sanity.grid.barriers import beside
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.grid.mask_learning import is_training
from sanity.grid.search_batch import planned_search
from sanity.grid.task import DenseTraining, MaskSearch, Name, Task
from sanity.grid.tasks import requested_moments, tasks
from sanity.grid.work import CellRecord, Job

Node = Name | DenseTraining | Cell
"""Identifies a task of the graph: its name; a training that a search has asked for; a cell, for its record."""
State = Literal["waiting", "ready", "running", "done", "failed"]
_SHORT = 4
"""The most searches, or records of cells, of one batch."""


@dataclass
class _Entry:
    """Holds a task, the title of the first cell that needs it, what it waits for and what waits for it."""

    task: Task | CellRecord
    title: str
    order: int
    waits_for: set[Node] = field(default_factory=set)
    users: list[Node] = field(default_factory=list)
    state: State = "waiting"
    alone: bool = False


class Graph:
    """Holds the tasks of the cells of a grid; tasks of equal name run once.

    most: the most trainings of one batch. errors: of cells whose tasks could not be listed.
    """

    def __init__(self, cells: Sequence[Cell], experiment: Experiment, most: int) -> None:
        self.experiment, self.most = experiment, most
        self.errors: dict[Cell, BaseException] = {}
        self.counts: Counter[State] = Counter()
        """How many tasks are in each state: waiting for others, ready, running, done or failed."""
        self._entries: dict[Node, _Entry] = {}
        self._ready: dict[object, deque[Node]] = {}
        for cell in cells:
            try:
                needed, final = tasks(cell, experiment)
                of_cell = [*needed, final, *beside(cell, experiment)]
                needs = [task.needs(experiment) for task in of_cell]
            except (Exception, SystemExit) as error:  # a user's method may fail in any way
                self.errors[cell] = error
                continue
            for task, names in zip(of_cell, needs, strict=True):
                self._add(task, cell.title, names)
            self._add(CellRecord(cell), cell.title, frozenset(task.name for task in of_cell))
        for node, entry in list(self._entries.items()):
            if isinstance(entry.task, DenseTraining | MaskSearch) and entry.task.is_done(experiment):
                self._end(node)
        for node, entry in self._entries.items():
            if entry.state == "waiting" and not entry.waits_for:
                self._make_ready(node)

    @property
    def is_done(self) -> bool:
        """Whether every task is done or has failed."""
        return self.counts["done"] + self.counts["failed"] == len(self._entries)

    def take(self, workers: int) -> list[Node]:
        """Takes the next batch to run: tasks of the kind whose turn it is, no more than a worker's share of them."""
        if not self._ready:
            return []
        kind = min(self._ready, key=lambda kind: self._entries[self._ready[kind][0]].order)
        queue = self._ready[kind]
        most = self.most if isinstance(kind, tuple) else _SHORT
        size = 1 if self._entries[queue[0]].alone else min(most, math.ceil(len(queue) / max(workers, 1)))
        batch = [queue.popleft() for _ in range(size)]
        if not queue:
            del self._ready[kind]
        for node in batch:
            self._set(node, "running")
        return batch

    def job(self, node: Node) -> Job:
        """Returns the task for a worker. A dense training saves all the moments that the request needs of it."""
        entry = self._entries[node]
        task = entry.task
        if isinstance(task, DenseTraining):
            moments = requested_moments(self.experiment).get(task.key, frozenset())
            task = replace(task, moments=task.moments | moments)
        return Job(task, entry.title)

    def done(self, node: Node) -> None:
        """Notes that a task is done: those that waited for it alone can run."""
        for user in self._end(node):
            if not self._entries[user].waits_for and self._entries[user].state == "waiting":
                self._make_ready(user)

    def fail(self, node: Node) -> list[Cell]:
        """Notes that a task failed, and with it all that need it; returns the cells among them."""
        failed: dict[Node, None] = {}
        queue = deque([node])
        while queue:
            if (user := queue.popleft()) not in failed:
                failed[user] = None
                queue.extend(self._entries[user].users)
        for user in failed:
            self._drop(user)
            self._set(user, "failed")
        return [user for user in failed if isinstance(user, Cell)]

    def put_back(self, node: Node, alone: bool = False) -> None:
        """Returns a task that was taken, to run again. alone: in a batch of its own, since it may be at fault."""
        if self._entries[node].state == "running":
            self._entries[node].alone |= alone
            self._make_ready(node)

    def wait_for(self, node: Node, training: DenseTraining) -> None:
        """Has a search wait for a training that must go on first."""
        entry = self._entries[node]
        self._set(node, "waiting")
        entry.waits_for.add(training)
        if training not in self._entries:
            self._new(training, training, entry.title)
        if self._entries[training].state not in ("ready", "running"):
            self._make_ready(training)
        self._entries[training].users.append(node)

    def _add(self, task: Task | CellRecord, title: str, needs: frozenset[Name]) -> None:
        if task.name not in self._entries:
            self._new(task.name, task, title)
        entry = self._entries[task.name]
        if isinstance(task, DenseTraining) and isinstance(entry.task, DenseTraining):
            entry.task = replace(entry.task, moments=entry.task.moments | task.moments)
        for name in needs - entry.waits_for:
            entry.waits_for.add(name)
            self._entries[name].users.append(task.name)

    def _new(self, node: Node, task: Task | CellRecord, title: str) -> None:
        self._entries[node] = _Entry(task, title, len(self._entries))
        self.counts["waiting"] += 1

    def _set(self, node: Node, state: State) -> None:
        entry = self._entries[node]
        self.counts[entry.state] -= 1
        self.counts[state] += 1
        entry.state = state

    def _end(self, node: Node) -> list[Node]:
        """Marks a task as done and returns those that waited for it."""
        self._set(node, "done")
        users = self._entries[node].users
        for user in users:
            self._entries[user].waits_for.discard(node)
        return users

    def _make_ready(self, node: Node) -> None:
        entry = self._entries[node]
        self._set(node, "ready")
        kind = ("alone", node) if entry.alone else _kind(entry.task, self.experiment)
        self._ready.setdefault(kind, deque()).append(node)

    def _drop(self, node: Node) -> None:
        for kind, queue in list(self._ready.items()):
            if node in queue:
                queue.remove(node)
                if not queue:
                    del self._ready[kind]


def _kind(task: Task | CellRecord, experiment: Experiment) -> object:
    """Returns what tasks of one batch have in common; a tuple for trainings, which see the same data."""
    if isinstance(task, MaskSearch) and is_training(task, experiment):
        return planned_search(task, "", experiment).sees
    if isinstance(task, MaskSearch | CellRecord):
        return type(task)
    return task.data, 0 if task.data.is_control else task.seed, bool(task.source.mask)
