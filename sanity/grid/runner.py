"""Drives the cells of a grid: what several wait for is trained once, what exists is not trained again."""

import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sanity.grid import keys
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment, Training
from sanity.grid.pipeline import Steps, named, steps
from sanity.grid.progress import Reporter
from sanity.store import environment, tensor_files
from sanity.store.files import DiskError
from sanity.store.records import has_ended, rows
from sanity.training.job import TrainingResult, curve_table
from sanity.training.loop import Interrupted, train

log = logging.getLogger("sanity")
FAILED = "failed"


class Runner:
    """One run of a grid. `stop` is asked between the steps of a training and between cells."""

    def __init__(self, experiment: Experiment, reporter: Reporter, stop: Callable[[], bool]) -> None:
        self.experiment, self.reporter, self.stop = experiment, reporter, stop
        self.failed: set[Cell] = set()

    def run(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """The records of `cells`, in their order; a cell that failed has status `failed` and its reason.

        Cells advance in order until `ahead` of them wait, so that those further on hold no memory.
        Raises `Interrupted` where `stop` said so; everything finished is in the store then.
        """
        ready = deque((cell, steps(cell, self.experiment)) for cell in cells if not self._is_known(cell))
        waiting: dict[str, tuple[Training, list[tuple[Cell, Steps]]]] = {}
        while ready or waiting:
            while ready and len(waiting) < self.experiment.ahead:
                cell, progress = ready.popleft()
                training = self._advance(cell, progress)
                if training is not None:
                    waiting.setdefault(training.key, (training, []))[1].append((cell, progress))
            if waiting:
                batch = self._batch([training for training, _ in waiting.values()])
                self._try(batch, {key: [cell for cell, _ in those] for key, (_, those) in waiting.items()})
                for training in reversed(batch):
                    ready.extendleft(reversed(waiting.pop(training.key)[1]))
        return [self._row(cell) for cell in cells]

    def _try(self, batch: list[Training], cells: Mapping[str, list[Cell]]) -> None:
        try:
            self.train(batch)
        except (Interrupted, DiskError):
            raise
        except Exception as error:
            left = [training for training in batch if not self.experiment.is_done(training)]
            for training in left if len(batch) > 1 else []:  # which of them it was shows when each is alone
                self._try([training], cells)
            for cell in cells[left[0].key] if len(batch) == 1 and left else []:
                self._fail(cell, error)

    def _fail(self, cell: Cell, error: Exception) -> None:
        """One method's defect must not end a grid of hours: the cell is shown as failed and the grid goes on."""
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        self.failed.add(cell)
        self._write(cell, {**named(cell, self.experiment), "status": FAILED, "reason": reason})
        log.error("%s failed: %s", cell.title, reason)
        log.debug("%s", "".join(traceback.format_exception(error)))

    def _batch(self, trainings: list[Training]) -> list[Training]:
        """Those that train on the same data as the first, its like before others, as many as train side by side."""
        first = trainings[0]
        same = [training for training in trainings if training.seen_as == first.seen_as]
        return sorted(same, key=lambda training: training.sparse != first.sparse)[: self.experiment.side_by_side]

    def _advance(self, cell: Cell, progress: Steps) -> Training | None:
        """Runs a cell up to a training that is not there yet; None where the cell has ended."""
        if self.stop():
            raise Interrupted
        if cell in self.failed:
            return None
        self.reporter.now(f"{cell.title}: searching")
        try:
            while True:
                training = next(progress)
                if not self.experiment.is_done(training):
                    return training
        except StopIteration as end:
            self._write(cell, end.value)
        except (Interrupted, DiskError):
            raise
        except Exception as error:
            self._fail(cell, error)
        return None

    def _write(self, cell: Cell, record: dict[str, Any]) -> None:
        path = self.experiment.store.root / "cells" / f"{keys.cell(cell, self.experiment)}.json"
        self.experiment.store.write(path, record)

    def train(self, batch: list[Training]) -> None:
        """Trains these side by side and records them."""
        experiment = self.experiment
        clean = batch[0].seen_by is None
        began = time.time()

        def progress(number: int, row: dict[str, Any]) -> None:
            self.reporter.epoch(batch[number].cell.title, row, batch[number].epochs)

        train(
            [experiment.job(training) for training in batch],
            experiment.train if clean else experiment.seen(batch[0].cell),
            experiment.test,
            experiment.running,
            device=experiment.device,
            precision=experiment.precision,
            deterministic=experiment.config.deterministic,
            progress=progress,
            finished=lambda number, trained: self._record(batch[number], trained, began),
            checkpoint_minutes=experiment.config.checkpoint_minutes,
            stop=self.stop,
            runs_per_device=None if experiment.config.runs_per_device == "auto" else experiment.config.runs_per_device,
        )

    def _record(self, training: Training, trained: TrainingResult, began: float) -> None:
        experiment, folder = self.experiment, self.experiment.folder(training)
        store = experiment.store
        ticket = training.ticket()
        store.save(folder / "mask.safetensors", ticket.mask)
        for iteration, weights in trained.snapshots.items():
            store.save(folder / f"epoch_{iteration // experiment.steps(training)}.safetensors", weights)
        store.save(folder / "weights.safetensors", trained.weights)
        record = {
            **training.description,
            **summary(trained),
            "epochs": training.epochs,
            "start_epoch": training.start_epoch,
            "deterministic": experiment.config.deterministic,
            "digest": tensor_files.digest(trained.weights),
            "versions": environment.versions(),
            "commit": environment.commit(),
            "device": environment.describe(experiment.device),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        }
        store.write_text(folder / "curve.csv", curve_table(trained.curve))
        store.write(folder / "record.json", record)
        for leftover in [folder / "checkpoint.safetensors", *folder.glob("snapshot-*.safetensors")]:
            leftover.unlink(missing_ok=True)
        self.reporter.expect(-(trained.resumed_from or 0))
        self.reporter.finished(
            f"{training.cell.title}: last {_percent(record['last_test_accuracy'])}, {trained.wall_s:.1f} s"
        )

    def _is_known(self, cell: Cell) -> bool:
        found = rows(self.experiment.store.root, [keys.cell(cell, self.experiment)])
        return bool(found) and has_ended(found[0])

    def _row(self, cell: Cell) -> dict[str, Any]:
        (found,) = rows(self.experiment.store.root, [keys.cell(cell, self.experiment)])
        return {**found, **named(cell, self.experiment)}  # under the names of this run, whoever computed it


def _percent(accuracy: float | None) -> str:
    return "none" if accuracy is None else f"{accuracy:.2f} %"


def summary(trained: TrainingResult) -> dict[str, Any]:
    """The record's account of a training: curve, last and best test accuracy apart, whether and when it diverged.

    What diverged has no last accuracy: its weights are not numbers.
    """
    best = max(trained.curve, key=lambda row: row["test_accuracy"], default=None)
    last = trained.curve[-1] if trained.curve else None
    return {
        "status": "done" if trained.diverged_epoch is None else "diverged",
        "diverged_epoch": trained.diverged_epoch,
        "last_test_accuracy": last["test_accuracy"] if last and trained.diverged_epoch is None else None,
        "best_test_accuracy": best["test_accuracy"] if best else None,
        "best_epoch": best["epoch"] if best else None,
        "curve": trained.curve,
        "wall_s": trained.wall_s,
        "resumed_from": trained.resumed_from,
        "precision": trained.precision,
    }
