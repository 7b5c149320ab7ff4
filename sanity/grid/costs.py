"""Measures what the cells of a design took: seconds of each search and training, from the store."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sanity.grid import stored
from sanity.grid.cells import Cell
from sanity.grid.design import SECONDS, Costs
from sanity.grid.experiment import Experiment
from sanity.grid.task import TO_THE_END, DenseTraining, MaskSearch, Task
from sanity.grid.tasks import tasks
from sanity.grid.training_batch import epochs


@dataclass
class Meter:
    """Adds up the work of cells, each search and training once, however many cells share it.

    pieces: the tasks of each point, named as they are for the point's own seed.
    """

    pieces: dict[Hashable, frozenset[Hashable]] = field(default_factory=dict)
    _seconds: dict[Hashable, dict[Hashable, float]] = field(default_factory=dict)
    """For each piece the seconds of its tasks, one a seed, by what identifies their results."""

    def add(self, point: tuple[int, Cell], seed: int, row: Mapping[str, Any], experiment: Experiment) -> None:
        """Adds the tasks of a seed of a point (the number of a grid, and a cell); `row` is its record."""
        number, cell = point
        pieces = [_name(task, number) for task in _tasks(cell, experiment)]
        self.pieces[point] = frozenset(pieces)
        if row["status"] not in ("done", "diverged"):
            return
        *needed, final = _tasks(replace(cell, seed=seed), experiment)
        for piece, task in zip(pieces, needed, strict=False):
            self._seconds.setdefault(piece, {})[_name(task, number)] = _seconds_of(task, row, experiment)
        trained = row.get("training") or _name(final, number)
        self._seconds.setdefault(pieces[-1], {})[trained] = float(row.get("wall_s") or 0)

    def costs(self) -> Costs:
        """Returns what a seed of each piece takes on average, and all hours so far."""
        once = {name: seconds for by_task in self._seconds.values() for name, seconds in by_task.items()}
        means = {piece: sum(by_task.values()) / len(by_task) for piece, by_task in self._seconds.items()}
        return Costs(self.pieces, means, sum(once.values()) / SECONDS)


def _tasks(cell: Cell, experiment: Experiment) -> list[Task]:
    needed, final = tasks(cell, experiment)
    return [*needed, final]


def _name(task: Task, number: int) -> Hashable:
    """Returns a name that tasks of several grids share if they have one result: a key, or it names the grid too."""
    return task.name if isinstance(task.name, str) else (number, task.name)


def _seconds_of(task: Task, row: Mapping[str, Any], experiment: Experiment) -> float:
    """Returns what a task took that a cell with this record needed.

    A training that has no record, since it went only as far as was needed, takes as long an epoch as the cell's own.
    """
    if isinstance(task, MaskSearch):
        return float((stored.search_record(experiment, task.key) or {}).get("seconds", 0.0))
    key = task.key if isinstance(task, DenseTraining) else task.key_in(experiment)
    record = experiment.store.record(key)
    if record is not None:
        return float(record.get("wall_s") or 0)
    part = epochs(task.source, task.data, getattr(task, "moments", TO_THE_END), experiment)
    return part.length / part.steps * float(row.get("wall_s") or 0) / max(float(row.get("epochs") or 0), 1)
