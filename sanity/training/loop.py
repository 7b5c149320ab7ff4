"""The training loop: nothing in it knows about pruning but "keep these at zero", and nothing that it did is lost."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sanity.behaviour import uses_global_rng
from sanity.data.dataset import Dataset
from sanity.errors import UserError
from sanity.recipes import Recipe
from sanity.training.checkpoint import identity
from sanity.training.concurrency import Dispatcher, stack_size, stacks
from sanity.training.cpu_threads import fitting
from sanity.training.executor import StepExecutor
from sanity.training.job import TrainingResult, TrainingSpec
from sanity.training.memory_format import memory_format
from sanity.training.precision import numerics, resolve, resolve_device
from sanity.training.trainer import Setting, Trainer

__all__ = ["Interrupted", "TrainingResult", "TrainingSpec", "train"]

Progress = Callable[[int, dict[str, Any]], None]
Numbered = tuple[list[int], Trainer]


class Interrupted(Exception):  # noqa: N818 (not an error: asked for)
    """`stop` said so. Every job with a directory has a checkpoint of the step that was taken last."""


@dataclass
class StopAndSave:
    """What the loop looks at between steps: whether to stop, whether a checkpoint is due, whom to tell."""

    stop: Callable[[], bool]
    progress: Progress
    interval_s: float
    saved_at: float
    stopped: bool = False

    def due(self, within_epoch: bool = False) -> bool:
        """Whether the last checkpoint is old enough; an interval of 0 asks for one at every epoch's end."""
        old = time.monotonic() - self.saved_at >= self.interval_s
        return old and not (within_epoch and self.interval_s == 0)

    def halts(self) -> bool:
        """Whether the steps of an epoch must pause, for good (then `stopped`) or for a checkpoint."""
        if self.stop():  # never unset: several threads ask
            self.stopped = True
        return self.stopped or self.due(within_epoch=True)

    def save(self, trainers: Sequence[Trainer]) -> None:
        """Checkpoints of all jobs in `trainers`."""
        for trainer in trainers:
            with trainer.current():
                trainer.save()
        self.saved_at = time.monotonic()


def train(
    jobs: Sequence[TrainingSpec],
    train: Dataset,
    test: Dataset,
    recipe: Recipe,
    *,
    device: str | torch.device,
    precision: str = "auto",
    deterministic: bool = False,
    progress: Progress | None = None,
    finished: Callable[[int, TrainingResult], None] | None = None,
    checkpoint_minutes: float = 5.0,
    stop: Callable[[], bool] | None = None,
    runs_per_device: int | None = None,
) -> list[TrainingResult]:
    """Trains every job (all of one architecture) on `train` by `recipe` and tests it after each epoch on `test`.

    Jobs with a directory go on from the checkpoint there. `progress(job, row)` is called at each epoch's end with the
    job's index and its curve's new row; `stop()` is asked between steps (on a CPU by several threads): where it says
    so, checkpoints are written and `Interrupted` is raised. With `deterministic`, a repeat on this machine is
    bit-equal, however often interrupted. `finished(job, result)` is called as soon as a job is through. A checkpoint is
    written at least `checkpoint_minutes` after the last (0: at every epoch's end) and with a snapshot between epochs.
    `runs_per_device` is how many trainings, or stacks of fully connected ones, go on at a time; None: on a GPU what
    memory and a measurement say, on a CPU one, or one a thread where layers are small. On a GPU it is one with
    `deterministic` and for networks with dropout.
    Raises `UserError` for an unknown device or precision, and for a recipe that does not fit the data.
    """
    where = resolve_device(device)
    watch = StopAndSave(
        stop or (lambda: False), progress or (lambda job, row: None), checkpoint_minutes * 60, time.monotonic()
    )
    if not jobs:
        return []
    model = jobs[0].model
    check_batches(model, train, recipe)
    layout = memory_format(model, train.input_shape, where)
    setting = Setting(train.to(where), test.to(where), recipe, where, resolve(precision, where), layout)
    results: dict[int, TrainingResult] = {}

    def ended(group: Sequence[int], trainer: Trainer) -> None:
        for number, trained in zip(group, trainer.results(), strict=True):
            results[number] = trained
            if finished:
                finished(number, trained)

    together = recipe.batch_size * (min(len(jobs), stack_size(where)) if stacks(model, recipe, deterministic) else 1)
    with (
        numerics(where, setting.precision, deterministic),
        fitting(model, setting.train.input_shape, together) as spare,
    ):
        circumstances = (setting.precision, where.type, deterministic)
        identities = [identity(job, setting.epochs(job), train, recipe, *circumstances) for job in jobs]
        apart = False
        if where.type == "cpu":
            apart = not uses_global_rng(model, train.input_shape) and not (deterministic and spare == 1)
            runs_per_device = runs_per_device or (spare if apart else 1)
            if deterministic and apart:
                torch.set_num_threads(1)  # whatever company a training has: the rounding depends on the number
        elif uses_global_rng(model, train.input_shape):
            runs_per_device = 1  # recorded steps draw from one generator, each in its own stream
        dispatcher = Dispatcher(jobs, setting, identities, deterministic, runs_per_device)
        while dispatcher.waiting:
            trainers = dispatcher.launch()
            numbers = [group for group, _ in trainers]
            exhausted = _exhausted(trainers, watch, ended, apart)
            del trainers  # before the next are built, which need their memory
            if exhausted:
                dispatcher.relaunch([group for group in numbers if group[0] not in results], exhausted)
    return [results[number] for number in range(len(jobs))]


def check_batches(model: nn.Module, train: Dataset, recipe: Recipe) -> None:
    """Raises `UserError` where the recipe leaves no batch of `train`, or a last one that batch norm cannot take."""
    count = len(train) - int(recipe.holdout * len(train))
    if recipe.drop_last and recipe.batch_size > count:
        raise UserError(f"recipe.batch_size={recipe.batch_size}: with drop_last no batch of {count} examples is full")
    if recipe.drop_last or (count % recipe.batch_size or recipe.batch_size) > 1:
        return
    net = copy.deepcopy(model).train()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            net(torch.zeros(1, *train.input_shape, device=next(net.parameters()).device))
    except ValueError as error:
        raise UserError(
            f"recipe.batch_size={recipe.batch_size}: the last batch of {count} examples holds one, which batch norm "
            f"cannot train on ({error}); choose another size or recipe.drop_last=true"
        ) from None


def _exhausted(
    trainers: Sequence[Numbered], watch: StopAndSave, ended: Callable[..., None], apart: bool
) -> Exception | None:
    """Trains `trainers`; the error where the device's memory was too small for them, without what they held of it."""
    try:
        run(trainers, watch, ended, apart)
    except torch.OutOfMemoryError as error:
        return error.with_traceback(None)
    return None


def run(
    trainers: Sequence[Numbered], watch: StopAndSave, ended: Callable[[Sequence[int], Trainer], None], apart: bool
) -> None:
    """Runs `trainers` side by side, each with the numbers of its jobs; calls `ended` for each that is done.

    apart: see `StepExecutor`.
    """
    going = list(trainers)
    with StepExecutor([trainer for _, trainer in trainers], apart) as executor:
        while True:
            for pair in [pair for pair in going if pair[1].done]:
                going.remove(pair)
                ended(*pair)
            if not going:
                return
            active = [trainer for _, trainer in going]
            clock = time.perf_counter()
            executor.each(active, Trainer.begin_epoch)
            while executor.steps(active, watch.halts):
                clock = _share(active, clock)
                watch.save(active)
                if watch.stopped:
                    raise Interrupted
            rows = executor.each(active, Trainer.end_epoch)
            _share(active, clock)
            if watch.due() or any(trainer.iteration in job.snapshots for trainer in active for job in trainer.jobs):
                watch.save(active)
            for (group, _), trainer_rows in zip(going, rows, strict=True):
                for job, row in zip(group, trainer_rows, strict=True):
                    if row is not None:
                        watch.progress(job, row)


def _share(trainers: Sequence[Trainer], since: float) -> float:
    """Books the time since `since` on the tickets in `trainers`, in equal parts; the time now."""
    now = time.perf_counter()
    tickets = sum(len(trainer.jobs) for trainer in trainers)
    for trainer in trainers:
        trainer.walls = [wall + (now - since) / tickets for wall in trainer.walls]
    return now
