"""Lets a caller follow trainings and stop them, and decides when checkpoints are due."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sanity.training.job import TrainingResult
from sanity.training.trainer import Trainer


def _nothing(number: int, value: Any) -> None:
    """Called where nobody follows the trainings."""


@dataclass(frozen=True)
class Callbacks:
    """Holds what is called while networks train.

    progress: with a job's index and its curve's new row at the end of each of its epochs.
    finished: with a job's index and its result as soon as it is through.
    stop: between steps, on a CPU by several threads; once it says so, checkpoints are written and `Interrupted` is
        raised.
    """

    progress: Callable[[int, dict[str, Any]], None] = _nothing
    finished: Callable[[int, TrainingResult], None] = _nothing
    stop: Callable[[], bool] = lambda: False


SILENT = Callbacks()
"""Of trainings that nobody follows."""


@dataclass
class StopAndSave:
    """Decides between steps whether to stop and whether a checkpoint is due; writes checkpoints of all trainers."""

    callbacks: Callbacks
    interval_s: float
    saved_at: float = field(default_factory=time.monotonic)
    stopped: bool = False

    def due(self, within_epoch: bool = False) -> bool:
        """Returns whether the last checkpoint is old enough; an interval of 0 asks for one at every epoch's end."""
        old = time.monotonic() - self.saved_at >= self.interval_s
        return old and not (within_epoch and self.interval_s == 0)

    def halts(self) -> bool:
        """Returns whether the steps of an epoch must pause, for good (then `stopped`) or for a checkpoint."""
        if self.callbacks.stop():  # never unset: several threads ask
            self.stopped = True
        return self.stopped or self.due(within_epoch=True)

    def save(self, trainers: Sequence[Trainer]) -> None:
        """Checkpoints of all jobs in `trainers`."""
        for trainer in trainers:
            with trainer.current():
                trainer.save()
        self.saved_at = time.monotonic()
