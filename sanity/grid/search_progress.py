"""Stores the progress of a search beside its mask, and ends the search where the run is stopped."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from methods.progress import Progress
from sanity.grid import stored
from sanity.grid.experiment import Experiment
from sanity.grid.passes import Passes
from sanity.store import tensor_files
from sanity.training.loop import Interrupted

FILE = "progress.safetensors"


@dataclass
class StoredProgress:
    """Keeps progress in a search's folder, as often as trainings write checkpoints, and once more when it is stopped.

    path: of the file. minutes: between two writings; 0: at every offer. stop: whether the run is to end. passes: those
    of the search, to which the ones of earlier processes are added. seconds: of earlier processes.
    """

    path: Path
    minutes: float
    stop: Callable[[], bool]
    passes: Passes
    seconds: float = 0.0
    _began: float = field(default_factory=time.perf_counter)
    _saved: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, key: str, experiment: Experiment, stop: Callable[[], bool], passes: Passes) -> "StoredProgress":
        """Returns the progress of the search with this key."""
        minutes = experiment.config.checkpoint_minutes
        return cls(stored.mask_folder(experiment, key) / FILE, minutes, stop, passes)

    def load(self, asked: str) -> Progress | None:
        """Returns what was kept last; None where nothing is there, it is damaged, or of something else."""
        progress = tensor_files.read(self.path)
        if progress is None or progress[1].get("asked") != asked:
            return None
        facts = progress[1]
        before = self.passes + Passes(**facts["passes"])
        self.passes.forward, self.passes.backward, self.passes.second = before.forward, before.backward, before.second
        self.seconds = float(facts["seconds"])
        return progress

    def offer(self, asked: str, make: Callable[[], Progress]) -> None:
        """Writes what `make` returns if it is time. Raises `Interrupted`, after it was written, where the run stops."""
        stops = self.stop()
        if not stops and time.monotonic() - self._saved < self.minutes * 60:
            return
        tensors, facts = make()
        seconds = self.seconds + time.perf_counter() - self._began
        so_far = {"asked": asked, "passes": self.passes.as_dict(), "seconds": seconds}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        tensor_files.write(self.path, tensors, {**facts, **so_far})
        self._saved = time.monotonic()
        if stops:
            raise Interrupted

    def remove(self) -> None:
        """Removes the file: the search has ended."""
        self.path.unlink(missing_ok=True)
