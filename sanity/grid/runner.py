"""Runs the grid: every task whose result is not in the store, several trainings at once.

While another process computes a result that is needed here, the runner does other work, then waits.
"""

import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from sanity.grid import keys, stored
from sanity.grid.barriers import barriers, beside
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.grid.progress import Reporter
from sanity.grid.record import place, record
from sanity.grid.task import MaskSearch, Training
from sanity.grid.tasks import tasks
from sanity.grid.ticket_search import find_mask, needs_training
from sanity.grid.training_batch import PlannedTraining, planned, train_batch
from sanity.store.claims import Claims
from sanity.store.files import DiskError
from sanity.store.records import traceback_of
from sanity.training.loop import Interrupted

log = logging.getLogger("sanity")
FAILED = "failed"
_LOOK_AGAIN_S = 0.5
_SAY_EVERY_S = 30.0


class _MadeElsewhere(Exception):  # noqa: N818 (no error)
    """Another process makes the result that a cell needs next."""


class Runner:
    """Runs a grid once. It calls `stop` between training steps and between cells, and stops where that returns true."""

    def __init__(self, experiment: Experiment, reporter: Reporter, stop: Callable[[], bool]) -> None:
        self.experiment, self.reporter, self.stop = experiment, reporter, stop
        self.claims = Claims(experiment.store.root)
        self.waiting: dict[str, tuple[PlannedTraining, Training, list[Cell]]] = {}
        """Trainings that can start, by key, each with the cells that need it."""
        self.elsewhere: list[Cell] = []
        """Cells that need a result which another process computes."""
        self.errors: dict[object, BaseException] = {}
        """Why a task failed, by its name: it is not tried again for other cells."""
        self.records: dict[Cell, dict[str, Any]] = {}
        """The records, without results of the training, of the cells whose training waits."""
        self._tell_at = 0.0

    def run(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """Runs `cells` and returns their records in order; a cell that failed has status `failed` and a reason.

        Cells advance in order until `ahead` trainings wait, so that later cells hold no memory yet.
        Raises `Interrupted` if `stop` returns true; everything finished is in the store then.
        """
        ready = deque(cell for cell in cells if not self._has_ended(cell))
        self.reporter.found(len(cells) - len(ready), len(cells))
        while ready or self.waiting or self.elsewhere:
            while ready and len(self.waiting) < self.experiment.ahead:
                self._advance(ready.popleft())
            advanced = self._train_next() if self.waiting else []
            nothing_else = not (ready or self.waiting or advanced)
            if nothing_else and self.elsewhere:
                self._pause()
            if nothing_else or advanced:
                ready.extendleft(reversed([*advanced, *self.elsewhere]))
                self.elsewhere.clear()
        return [self._row(cell) for cell in cells]

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
                if name in self.errors:
                    raise self.errors[name]
                if isinstance(task, MaskSearch):
                    if (training := needs_training(task, self.experiment)) is not None:
                        self.reporter.expect(len(training.moments))
                        self._queue(cell, training)
                        return
                    self.reporter.now(f"{cell.title}: searching")
                    self._search(task)
                else:
                    if task is final:  # the record measures the ticket, so that a failure shows before training
                        self._record(cell)
                    self._queue(cell, task)
                    return
            name = None
            self._write(cell, {**self._record(cell), **barriers(cell, self.experiment)})
        except (Interrupted, DiskError):
            raise
        except _MadeElsewhere:
            self.elsewhere.append(cell)
        except (Exception, SystemExit) as error:  # a method may fail in any way, and may even call sys.exit
            if name is not None:
                self.errors[name] = error
            self._fail(cell, error)

    def _search(self, search: MaskSearch) -> None:
        claim = self.claims.take("tickets", search.key)
        if claim is None:
            raise _MadeElsewhere
        with claim:
            if not search.is_done(self.experiment):
                find_mask(search, self.experiment)

    def _queue(self, cell: Cell, training: Training) -> None:
        """Queues the training until a batch of its kind can start."""
        plan = planned(training, cell.title, self.experiment)
        self.waiting.setdefault(plan.key, (plan, training, []))[2].append(cell)

    def _record(self, cell: Cell) -> dict[str, Any]:
        if cell not in self.records:
            self.records[cell] = record(cell, self.experiment)
        return self.records[cell]

    # -- trainings -----------------------------------------------------------------------------------------------

    def _train_next(self) -> list[Cell]:
        """Trains the next batch and returns the cells that can go on."""
        with ExitStack() as claims:
            batch = self._claimed(claims)
            todo = [self._again(plan) for plan in batch if not self._is_done(plan)]
            if todo:
                self._try(todo)
        return [cell for plan in batch for cell in self.waiting.pop(plan.key)[2]]

    def _is_done(self, plan: PlannedTraining) -> bool:
        return self.waiting[plan.key][1].is_done(self.experiment)

    def _again(self, plan: PlannedTraining) -> PlannedTraining:
        """Plans the claimed training again, since another process may have trained a part of it meanwhile."""
        return planned(self.waiting[plan.key][1], plan.title, self.experiment)

    def _claimed(self, claims: ExitStack) -> list[PlannedTraining]:
        """Claims as many queued trainings as may run at once. All see the same data; those of one kind come first.

        Cells whose training another process has claimed move to `elsewhere`.
        """
        batch: list[PlannedTraining] = []
        for plan in self._in_order():
            claim = self.claims.take("trainings", plan.key)
            if claim is None:
                self.elsewhere += self.waiting.pop(plan.key)[2]
                continue
            claims.enter_context(claim)
            batch.append(plan)
            if len(batch) == self.experiment.side_by_side:
                break
        return batch

    def _in_order(self) -> list[PlannedTraining]:
        plans = [plan for plan, _, _ in self.waiting.values()]
        same = [plan for plan in plans if plan.sees == plans[0].sees]
        return sorted(same, key=lambda plan: plan.sparse != plans[0].sparse)

    def _try(self, batch: list[PlannedTraining]) -> None:
        try:
            self.train(batch)
        except (Interrupted, DiskError):
            raise
        except (Exception, SystemExit) as error:
            unfinished = [plan for plan in batch if not self._is_done(plan)]
            if not unfinished:  # all trainings are recorded, so the error is not one of theirs
                log.error("after the training of %s: %r", ", ".join(plan.title for plan in batch), error)
                raise
            if len(batch) == 1:
                self.errors[self.waiting[batch[0].key][1].name] = error
                return
            log.debug("%s", "".join(traceback.format_exception(error)))
            for plan in unfinished:  # one by one, so that only the training at fault fails
                self._try([plan])

    def train(self, batch: Sequence[PlannedTraining]) -> None:
        """Trains a batch of tickets at once and records each."""
        train_batch(batch, self.experiment, self.reporter, self.stop)

    def _pause(self) -> None:
        """Waits a moment for other processes to finish results that are needed here."""
        if self.stop():
            raise Interrupted
        if time.monotonic() > self._tell_at:
            self._tell_at = time.monotonic() + _SAY_EVERY_S
            titles = ", ".join(cell.title for cell in self.elsewhere[:3])
            self.reporter.waits(f"waiting for another run, which makes what these need: {titles}")
        time.sleep(_LOOK_AGAIN_S)

    # -- records -------------------------------------------------------------------------------------------------

    def _fail(self, cell: Cell, error: BaseException) -> None:
        """Records the cell as failed; the grid goes on, since one method's defect must not end a grid of hours."""
        message = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error)
        reason = f"{type(error).__name__}: {message}".splitlines()[0]
        self._write(cell, {**place(cell, self.experiment), "status": FAILED, "reason": reason})
        trace = "".join(traceback.format_exception(error))
        path = traceback_of(self.experiment.store.root, keys.cell(cell, self.experiment))
        self.experiment.store.write_text(path, f"{cell.title}\n{trace}")
        self.reporter.failed(f"{cell.title} failed: {reason}; traceback in {path}")
        log.debug("%s", trace)

    def _write(self, cell: Cell, content: dict[str, Any]) -> None:
        self.records.pop(cell, None)
        key = keys.cell(cell, self.experiment)
        self.experiment.store.write(self.experiment.store.root / "cells" / f"{key}.json", content)
        traceback_of(self.experiment.store.root, key).unlink(missing_ok=True)  # of an earlier attempt

    def _has_ended(self, cell: Cell) -> bool:
        return stored.has_ended(self.experiment, keys.cell(cell, self.experiment))

    def _row(self, cell: Cell) -> dict[str, Any]:
        row = stored.row(self.experiment, keys.cell(cell, self.experiment))
        assert row is not None  # written by this run or already stored
        return {**row, **place(cell, self.experiment)}  # another run's record gets this run's labels
