"""Sends the curves of trainings to an experiment tracker, whose package is imported only where `track=` asks for it.

A training is one run of the tracker, under the key by which the results folder knows it: a training that goes on after
an interruption goes on in the same run. A tracker that fails is told once, and the trainings go on without it.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sanity.errors import UserError, complain, reason

NONE = "none"
TRACKERS = {
    "tensorboard": ("tensorboard", "sanity.console.trackers.tensorboard:TensorBoard"),
    "wandb": ("wandb", "sanity.console.trackers.wandb:WeightsAndBiases"),
    "mlflow": ("mlflow", "sanity.console.trackers.mlflow:MLflow"),
}
"""Tracker -> the package that it needs, and where its class is."""
EPOCH = "epoch"


@dataclass(frozen=True)
class TrackedRun:
    """Describes a training to a tracker.

    key: identifies it, also in later processes. name: for people. facts: settings, by name.
    measures: numbers of its ticket before training, such as the density of each layer.
    """

    key: str
    name: str
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)


class Tracker(Protocol):
    """Interface of trackers. Runs are told apart by their keys; several may be open at a time."""

    def begin(self, run: TrackedRun, first: int) -> None:
        """Opens a run whose next epoch is `first`.

        For 1 the run is new: what an abandoned training has left under its key is dropped, and the measures are sent as
        step 0. Else the run goes on: what was sent of `first` and later epochs is replaced, or not sent again.
        """

    def log(self, key: str, epoch: int, values: Mapping[str, float]) -> None:
        """Sends numbers of an epoch of the open run `key`."""

    def end(self, key: str) -> None:
        """Closes the run `key`, which may be opened again."""


class Tracking:
    """Passes trainings on to a tracker, if there is one, and goes without it once it has failed."""

    def __init__(self, name: str = NONE, tracker: Tracker | None = None) -> None:
        self._name, self._tracker = name, tracker
        self._last: dict[str, int] = {}
        """The last epoch that was sent of every open run."""

    @property
    def on(self) -> bool:
        """Whether there is a tracker that works."""
        return self._tracker is not None

    def epoch(self, run: TrackedRun, row: Mapping[str, Any]) -> None:
        """Sends a row of the training's curve; opens its run first, if it is not open or the training starts again."""

        def send(tracker: Tracker) -> None:
            epoch = int(row[EPOCH])
            if epoch <= self._last.get(run.key, -1):
                tracker.end(run.key)
                del self._last[run.key]
            if run.key not in self._last:
                tracker.begin(run, epoch)
            self._last[run.key] = epoch
            tracker.log(run.key, epoch, {name: float(value) for name, value in row.items() if name != EPOCH})

        self._do(send)

    def end(self, key: str, measures: Mapping[str, float] | None = None) -> None:
        """Closes the run `key`, if it is open; `measures` are numbers that have changed since it began."""

        def close(tracker: Tracker) -> None:
            if (last := self._last.pop(key, None)) is not None:
                if measures:
                    tracker.log(key, last, measures)
                tracker.end(key)

        self._do(close)

    def close(self) -> None:
        """Closes all runs."""
        for key in list(self._last):
            self.end(key)

    def _do(self, work: Callable[[Tracker], None]) -> None:
        if self._tracker is None:
            return
        try:
            work(self._tracker)
        except Exception as error:  # somebody else's code, files and network: it may fail in any way
            self._tracker = None
            self._last.clear()
            complain(f"warning: track={self._name}: {reason(error)}; the run goes on without it")


@contextmanager
def tracking(name: str, folder: Path) -> Iterator[Tracking]:
    """Opens the tracker `name` for the results in `folder`; on exit its runs are closed.

    Raises `UserError` if its package is not installed.
    """
    if name == NONE:
        yield Tracking()
        return
    package, where = TRACKERS[name]
    try:
        importlib.import_module(package)
    except ImportError as error:
        missing = error.name or package
        raise UserError(f"track={name}: {missing} is not installed; pip install pruning-sanity[{name}]") from None
    module, _, cls = where.partition(":")
    open_tracking = Tracking(name)
    try:
        open_tracking = Tracking(name, getattr(importlib.import_module(module), cls)(folder))
    except Exception as error:  # somebody else's code, files and network: it may fail in any way
        complain(f"warning: track={name}: {reason(error)}; the run goes on without it")
    try:
        yield open_tracking
    finally:
        open_tracking.close()
