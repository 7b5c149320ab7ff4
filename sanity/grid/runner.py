"""Runs the grid: every task whose result is not in the store, several trainings at once.

While another process computes a result that is needed here, the runner does other work, then waits.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sanity.errors import DiskError, Interrupted
from sanity.grid import cell_records
from sanity.grid.barriers import barriers, beside
from sanity.grid.cell_records import has_ended, reason_of, trace_of
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.grid.mask_learning import is_training
from sanity.grid.progress import Reporter
from sanity.grid.record import record
from sanity.grid.task import MaskSearch
from sanity.grid.tasks import tasks
from sanity.grid.ticket_search import needs_training
from sanity.grid.training_queue import TrainingQueue

_LOOK_AGAIN_S = 0.5
_SAY_EVERY_S = 30.0


class Runner:
    """Runs a grid once. It calls `stop` between training steps and between cells, and stops where that returns true."""

    def __init__(self, experiment: Experiment, reporter: Reporter, stop: Callable[[], bool]) -> None:
        self.experiment, self.reporter, self.stop = experiment, reporter, stop
        self.queue: TrainingQueue[Cell] = TrainingQueue(experiment, reporter, stop)
        self.records: dict[Cell, dict[str, Any]] = {}
        """The records, without results of the training, of the cells whose training waits."""
        self._tell_at = 0.0

    def run(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """Runs `cells` and returns their records in order; a cell that failed has status `failed` and a reason.

        Cells advance in order until `ahead` trainings wait, so that later cells hold no memory yet.
        Raises `Interrupted` if `stop` returns true; everything finished is in the store then.
        """
        ready = deque(cell for cell in cells if not has_ended(cell, self.experiment))
        self.reporter.found(len(cells) - len(ready), len(cells))
        queue = self.queue
        while ready or queue.waiting or queue.elsewhere:
            while ready and len(queue.waiting) < self.experiment.ahead:
                self._advance(ready.popleft())
            advanced = queue.train_next() if queue.waiting else []
            nothing_else = not (ready or queue.waiting or advanced)
            if nothing_else and queue.elsewhere:
                self._pause()
            if nothing_else or advanced:
                ready.extendleft(reversed([*advanced, *queue.elsewhere]))
                queue.elsewhere.clear()
        return [cell_records.row(cell, self.experiment) for cell in cells]

    def _advance(self, cell: Cell) -> None:
        """Runs the searches of a cell, then queues its training, or writes its record if the training is stored."""
        if self.stop():
            raise Interrupted
        name: object = None
        try:
            needed, final = tasks(cell, self.experiment)
            for task in [*needed, final, *beside(cell, self.experiment)]:
                name = task.name
                if task.is_done(self.experiment):
                    continue
                if name in self.queue.errors:
                    raise self.queue.errors[name]
                if isinstance(task, MaskSearch) and is_training(task, self.experiment):
                    self.queue.add(task, cell.title, cell)
                    return
                if isinstance(task, MaskSearch):
                    if (training := needs_training(task, self.experiment)) is not None:
                        self.reporter.expect(len(training.moments))
                        self.queue.add(training, cell.title, cell)
                        return
                    with self.reporter.searching(cell.title):
                        found = self.queue.search(task)
                    if not found:
                        self.queue.elsewhere.append(cell)
                        return
                else:
                    if task is final:  # the record measures the ticket, so that a failure shows before training
                        self._record(cell)
                    self.queue.add(task, cell.title, cell)
                    return
            name = None
            self._write(cell, {**self._record(cell), **barriers(cell, self.experiment)})
        except (Interrupted, DiskError):
            raise
        except (Exception, SystemExit) as error:  # a method may fail in any way, and may even call sys.exit
            if name is not None:
                self.queue.errors[name] = error
            self.records.pop(cell, None)
            cell_records.fail(cell, reason_of(error), trace_of(error), self.experiment, self.reporter)

    def _record(self, cell: Cell) -> dict[str, Any]:
        if cell not in self.records:
            self.records[cell] = record(cell, self.experiment)
        return self.records[cell]

    def _write(self, cell: Cell, content: dict[str, Any]) -> None:
        self.records.pop(cell, None)
        cell_records.write(cell, content, self.experiment)

    def _pause(self) -> None:
        """Waits a moment for other processes to finish results that are needed here."""
        if self.stop():
            raise Interrupted
        if time.monotonic() > self._tell_at:
            self._tell_at = time.monotonic() + _SAY_EVERY_S
            titles = ", ".join(cell.title for cell in self.queue.elsewhere[:3])
            self.reporter.waits(f"waiting for another run, which makes what these need: {titles}")
        time.sleep(_LOOK_AGAIN_S)
