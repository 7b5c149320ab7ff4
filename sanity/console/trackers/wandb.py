"""Sends the curves of trainings to Weights & Biases."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from sanity.console.trackers import TrackedRun

PROJECT = "pruning-sanity"


class WeightsAndBiases:
    """Makes a run for each training in the project of WANDB_PROJECT; WANDB_MODE=offline writes files to sync later.

    Steps that were sent before an interruption are not sent again: wandb takes rising steps only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: dict[str, Any] = {}
        self._ended: set[str] = set()

    def begin(self, run: TrackedRun, first: int) -> None:
        """Opens the run whose id is the key, or goes on with it."""
        if run.key in self._ended and not self._runs:
            wandb.teardown()  # its service writes nothing more of a run that it has finished
        opened = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=run.key,
            name=run.name,
            config=dict(run.facts),
            dir=str(self._folder),
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(console="off"),
        )
        self._runs[run.key] = opened
        if first == 1:
            opened.log(dict(run.measures), step=0)

    def log(self, key: str, epoch: int, values: Mapping[str, float]) -> None:
        """Logs the values as one step."""
        self._runs[key].log(dict(values), step=epoch)

    def end(self, key: str) -> None:
        """Finishes the run."""
        self._runs.pop(key).finish()
        self._ended.add(key)
