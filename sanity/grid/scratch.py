"""Sends results between the folder of a run and workers on machines that do not see it."""

import atexit
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from sanity.grid import stored
from sanity.grid.barriers import beside
from sanity.grid.experiment import Experiment
from sanity.grid.task import DenseTraining, MaskSearch, Task
from sanity.grid.tasks import tasks
from sanity.grid.ticket_source import TicketSource, Weights
from sanity.grid.work import CellRecord, Job
from sanity.store.claims import Claims
from sanity.store.files import write_atomically
from sanity.store.processes import current, parse

Folder = tuple[str, str]
"""The kind and the key of a result."""
Files = dict[str, bytes]
"""The files of a result by name."""
_PREFIX = "pruning-sanity-"


@cache
def folder() -> Path:
    """Makes a folder for the results of this process, on this machine; removes those of processes that were killed."""
    root = Path(tempfile.gettempdir())
    for left in root.glob(f"{_PREFIX}*"):
        process = parse(left.name)
        if process is not None and process.is_running() is False:
            shutil.rmtree(left, ignore_errors=True)
    own = root / f"{_PREFIX}{current().name}"
    own.mkdir(exist_ok=True)
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own


def needed_by(jobs: Iterable[Job], experiment: Experiment) -> list[Folder]:
    """Returns the results that tasks read, and those that they go on with. These must be in the store."""
    folders: dict[Folder, None] = {}
    for job in jobs:
        for task in _tasks(job, experiment):
            folders |= dict.fromkeys(_behind(task.results(experiment), experiment))
            folders |= dict.fromkeys(_own(task, experiment))
            if isinstance(task, MaskSearch):  # one that says itself at which moment it is drawn reads any of them
                folders |= dict.fromkeys(_behind([task.scored] if task.scored.training else [], experiment))
    return list(folders)


def made_by(jobs: Iterable[Job], experiment: Experiment) -> dict[Folder, Files]:
    """Returns the results of tasks as far as they have come."""
    of_tasks = [_own(job.task, experiment) for job in jobs if not isinstance(job.task, CellRecord)]
    return read([folder for folders in of_tasks for folder in folders], experiment)


def read(folders: Iterable[Folder], experiment: Experiment) -> dict[Folder, Files]:
    """Reads the files of results; those that are not there are left out."""
    paths = {folder: _paths(folder, experiment) for folder in folders}
    return {folder: {path.name: path.read_bytes() for path in of_it} for folder, of_it in paths.items() if of_it}


def names(folder: Folder, experiment: Experiment) -> frozenset[str]:
    """Returns the names of a result's files; none where it is not there."""
    return frozenset(path.name for path in _paths(folder, experiment))


def write(contents: Mapping[Folder, Files], experiment: Experiment) -> None:
    """Writes the files of results, the record of each last. Raises `CannotWrite`."""
    for (kind, key), files in contents.items():
        path = experiment.store.folder(kind, key)
        for name in sorted(files, key=lambda name: name.endswith(".json")):
            write_atomically(path / name, files[name])
        if {"record.json", "ticket.json"} & files.keys():  # of a training that has ended, which has no checkpoint
            for left in stored.unfinished(path):
                left.unlink()


def collect(contents: Mapping[Folder, Files], experiment: Experiment) -> bool:
    """Writes what a worker sends, but for results that are there; returns False where another process makes one.

    Of a training that has ended, these are the weights at moments that were not kept before.

    Raises `CannotWrite`.
    """
    claims, complete = Claims(experiment.store.root), True
    for (kind, key), files in contents.items():
        claim = claims.take(kind, key)
        if claim is None:
            complete = False
            continue
        with claim:
            folder = experiment.store.folder(kind, key)
            if (folder / ("record.json" if kind == "trainings" else "ticket.json")).exists():
                files = {name: files[name] for name in stored.moments_among(files) if not (folder / name).exists()}
            write({(kind, key): files}, experiment)
    return complete


def _paths(folder: Folder, experiment: Experiment) -> list[Path]:
    return sorted(path for path in experiment.store.folder(*folder).glob("[!.]*") if path.is_file())


def _tasks(job: Job, experiment: Experiment) -> Sequence[Task]:
    if not isinstance(job.task, CellRecord):
        return [job.task]
    needed, final = tasks(job.task.cell, experiment)
    return [*needed, final, *beside(job.task.cell, experiment)]


def _own(task: Task, experiment: Experiment) -> list[Folder]:
    """Returns the folder of a task's result; none for a ticket that cannot be made yet, whose key is not known."""
    if isinstance(task, MaskSearch):
        return [("tickets", task.key)]
    if isinstance(task, DenseTraining):
        return [("trainings", task.key)]
    return [("trainings", task.key_in(experiment))] if task.can_start(experiment) else []


def _behind(results: Iterable[str | Weights], experiment: Experiment) -> Iterable[Folder]:
    """Yields the folders of masks and trainings, and of all that these start from, which their keys depend on."""
    for result in results:
        if isinstance(result, str):
            yield "tickets", result
        elif isinstance(result.training, TicketSource):
            yield from _behind(result.training.results(experiment), experiment)
            yield "trainings", result.training.training_key(result.data, experiment)
        else:
            yield "trainings", str(result.training)
