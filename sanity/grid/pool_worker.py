"""Works on tasks of a grid in a worker process, such as one of Ray."""

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from sanity.config import RunConfig
from sanity.console.allocator import keep_memory
from sanity.console.trackers import NONE, TrackedRun, Tracking
from sanity.errors import UserError
from sanity.grid import scratch
from sanity.grid.experiment import Experiment
from sanity.grid.preparation import load
from sanity.grid.progress import Reporter
from sanity.grid.scratch import Files, Folder
from sanity.grid.work import Job, Outcome, work
from sanity.store.identity import identity

log = logging.getLogger("sanity")


@dataclass(frozen=True)
class Setup:
    """Says what a worker needs before it can work on tasks of a run.

    config: the run, with paths from the root. expected: a hash of the data, the recipe and all else that determines
    results; the worker's must be the same. directory, path: working directory and module search path of the run.
    """

    config: RunConfig
    expected: str
    directory: str
    path: tuple[str, ...]

    @classmethod
    def of(cls, experiment: Experiment, threads: int) -> "Setup":
        """Describes a run to its workers, which have so many threads each."""
        config = experiment.config
        paths = {name: os.path.abspath(getattr(config, name)) for name in ("results_dir", "data_dir")}
        config = replace(config, **paths, log="", device=experiment.device.type)
        return cls(config, _identity(experiment), os.getcwd(), tuple(sys.path))


@dataclass(frozen=True)
class Report:
    """Tells what a worker did: what came of each task, lines for the log, and the files of results, if it sends them.

    curves: calls of the run's `Tracking`, each by the method's name and its arguments.
    refused: why the worker cannot work on tasks of this run at all; empty if it can.
    """

    outcomes: list[Outcome]
    lines: list[tuple[int, str]]
    files: dict[Folder, Files]
    curves: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    refused: str = ""


@dataclass(frozen=True)
class Died:
    """Says that a worker ended before its tasks did."""

    reason: str


class Worker:
    """Runs tasks, one batch at a time; `epochs` and `stop` may be called meanwhile."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._stop = threading.Event()
        self._reporter = _Counter(0, None, None)
        self._experiments: dict[str, Experiment] = {}
        keep_memory()

    def place(self) -> int:
        """Returns the process, once the worker has started."""
        return os.getpid()

    def epochs(self) -> tuple[int, int]:
        """Returns how many epochs were done in this process, and how many of them it trained."""
        return self._reporter.done, self._reporter.trained

    def stop(self) -> None:
        """Has the batch at hand save its state and end."""
        self._stop.set()

    def work(self, setup: Setup, jobs: Sequence[Job], files: Mapping[Folder, Files] | None) -> Report:
        """Runs tasks. files: results that they need, where the worker has no part in the folder of results."""
        torch.set_num_threads(self._threads)  # a setting of the thread that calls
        with _Lines() as lines:
            try:
                experiment = self._experiment(setup, alone=files is not None)
            except UserError as error:
                return Report([], lines.lines, {}, refused=str(error))
            if files is not None:
                scratch.write(files, experiment)
            curves = self._reporter.tracking = Curves(setup.config.track != NONE)
            outcomes = work(jobs, experiment, self._reporter, self._stop.is_set)
            results = {} if files is None else scratch.made_by(jobs, experiment)
        return Report(outcomes, lines.lines, results, curves.calls)

    def _experiment(self, setup: Setup, alone: bool) -> Experiment:
        """Prepares the run, once. Raises `UserError` if data or code of this machine are not those of the run."""
        key = repr(setup)
        if key not in self._experiments:
            sys.path[:] = [*setup.path, *(entry for entry in sys.path if entry not in setup.path)]
            if os.path.isdir(setup.directory):
                os.chdir(setup.directory)
            config = replace(setup.config, results_dir=str(scratch.folder())) if alone else setup.config
            experiment = load(config)
            if _identity(experiment) != setup.expected:
                raise UserError("its data or its code differ from those of the machine where the run was started")
            self._experiments = {key: experiment}
        return self._experiments[key]


class _Counter(Reporter):
    """Counts epochs; says nothing of the time left, which the run itself does for all workers."""

    def finished(self, text: str) -> None:
        log.info("%s", text)

    def epoch(self, title: str, row: dict[str, Any], of: int) -> None:
        self.done, self.trained = self.done + 1, self.trained + 1


class Curves(Tracking):
    """Keeps what is to be sent to a tracker, which the run does."""

    def __init__(self, on: bool) -> None:
        super().__init__()
        self._on = on
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    @property
    def on(self) -> bool:
        return self._on

    def epoch(self, run: TrackedRun, row: Mapping[str, Any]) -> None:
        self.calls.append(("epoch", (run, row)))

    def end(self, key: str, measures: Mapping[str, float] | None = None) -> None:
        if self._on:
            self.calls.append(("end", (key, measures)))


class _Lines(logging.Handler):
    """Context manager; collects the lines of the log, which the run writes."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))

    def __enter__(self) -> "_Lines":
        log.setLevel(logging.INFO)
        log.addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        log.removeHandler(self)


def _identity(experiment: Experiment) -> str:
    return identity(experiment.encoded_setting)
