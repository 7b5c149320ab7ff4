"""Writes the curves of trainings as event files of TensorBoard."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from sanity.console.trackers import TrackedRun

FOLDER = "tensorboard"


class TensorBoard:
    """Writes to a folder for each run in `FOLDER` of the results: `tensorboard --logdir results/tensorboard`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._writers: dict[str, SummaryWriter] = {}

    def begin(self, run: TrackedRun, first: int) -> None:
        """Opens an event file, which tells TensorBoard to forget older events of `first` and later epochs."""
        writer = SummaryWriter(str(self._of(run)), purge_step=first if first > 1 else 0)
        self._writers[run.key] = writer
        if first == 1:
            self.log(run.key, 0, run.measures)
            text = "\n".join(f"    {name}={value}" for name, value in run.facts.items())
            writer.add_text("settings", text, 0)

    def log(self, key: str, epoch: int, values: Mapping[str, float]) -> None:
        """Adds a scalar for each value."""
        for name, value in values.items():
            self._writers[key].add_scalar(name, value, epoch)
        self._writers[key].flush()

    def end(self, key: str) -> None:
        """Closes the event file."""
        self._writers.pop(key).close()

    def _of(self, run: TrackedRun) -> Path:
        """Returns the folder of the run: the one that ends with its key, whatever the run was called before."""
        title = re.sub(r"[^\w.,@+=-]+", "_", run.name.replace("%", "percent"))
        return next(iter(sorted(self._folder.glob(f"*{run.key}"))), self._folder / f"{title}-{run.key}")
