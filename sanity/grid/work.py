"""Runs single tasks of a grid in a process that has the store, and says what came of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sanity.errors import DiskError, Interrupted
from sanity.grid.barriers import barriers
from sanity.grid.cell_records import reason_of, trace_of
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.grid.mask_learning import is_training
from sanity.grid.progress import Reporter
from sanity.grid.record import record
from sanity.grid.task import DenseTraining, MaskSearch, Task
from sanity.grid.ticket_search import needs_training
from sanity.grid.training_queue import TrainingQueue


@dataclass(frozen=True)
class CellRecord:
    """Makes the record of a cell whose searches and trainings have ended."""

    cell: Cell

    @property
    def name(self) -> Cell:
        """Identifies the result."""
        return self.cell


@dataclass(frozen=True)
class Job:
    """Holds a task to run, and its name for messages."""

    task: Task | CellRecord
    title: str


@dataclass(frozen=True)
class Outcome:
    """Says what came of a task.

    state: done; elsewhere: another process makes the result; absent: the store has not what the task needs;
        more: the training `more` must go on first; failed; disk: its files could not be written; stopped.
    reason, trace: why it failed. record: of a cell, to be written.
    """

    state: Literal["done", "elsewhere", "absent", "more", "failed", "disk", "stopped"]
    reason: str = ""
    trace: str = ""
    more: DenseTraining | None = None
    record: dict[str, Any] | None = None


def work(jobs: Sequence[Job], experiment: Experiment, reporter: Reporter, stop: Callable[[], bool]) -> list[Outcome]:
    """Runs tasks, trainings side by side, and returns what came of each. Results go to the store, under claims.

    The tasks need none of each other's results. Once `stop` returns true, state is saved, and the rest are `stopped`.
    """
    outcomes: dict[int, Outcome] = {}
    queue: TrainingQueue[int] = TrainingQueue(experiment, reporter, stop)
    rest = Outcome("elsewhere")
    try:
        for place, job in enumerate(jobs):
            if stop():
                raise Interrupted
            if (outcome := _begun(place, job, queue)) is not None:
                outcomes[place] = outcome
        while queue.waiting:
            for place in queue.train_next():
                error = queue.errors.get(jobs[place].task.name)
                outcomes[place] = Outcome("done") if error is None else _failed(error)
    except Interrupted:
        rest = Outcome("stopped")
    except DiskError as error:
        rest = Outcome("disk", str(error))
    return [outcomes.get(place, rest) for place in range(len(jobs))]


def _begun(place: int, job: Job, queue: TrainingQueue[int]) -> Outcome | None:
    """Runs a task, or queues it if it is a training; returns what came of it, None while it waits."""
    try:
        return _run(place, job, queue)
    except (Interrupted, DiskError):
        raise
    except (Exception, SystemExit) as error:  # a method may fail in any way, and may even call sys.exit
        return _failed(error)


def _run(place: int, job: Job, queue: TrainingQueue[int]) -> Outcome | None:
    task, experiment = job.task, queue.experiment
    if isinstance(task, CellRecord):
        return Outcome("done", record={**record(task.cell, experiment), **barriers(task.cell, experiment)})
    if task.is_done(experiment):
        return Outcome("done")
    if isinstance(task, DenseTraining):
        queue.add(task, job.title, place)
        return None
    if not task.can_start(experiment):
        return Outcome("absent", f"the store has not what {job.title} needs")
    if isinstance(task, MaskSearch) and not is_training(task, experiment):
        if (training := needs_training(task, experiment)) is not None:
            return Outcome("more", more=training)
        return Outcome("done" if queue.search(task) else "elsewhere")
    queue.add(task, job.title, place)
    return None


def _failed(error: BaseException) -> Outcome:
    return Outcome("failed", reason_of(error), trace_of(error))
