"""Trains tickets by a recipe and tests them after each epoch; what was interrupted goes on from its checkpoint."""

import copy
import logging
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from sanity.data.dataset import Dataset
from sanity.errors import Interrupted, UserError
from sanity.recipes import Recipe
from sanity.training.callbacks import SILENT, Callbacks, StopAndSave
from sanity.training.checkpoint import identity
from sanity.training.compute import Compute
from sanity.training.concurrency import Concurrency, choose
from sanity.training.cpu_threads import limited
from sanity.training.dispatcher import Dispatcher
from sanity.training.executor import StepExecutor
from sanity.training.job import TrainingResult, TrainingSpec
from sanity.training.memory_format import memory_format
from sanity.training.precision import numerics
from sanity.training.setting import Setting
from sanity.training.trainer import Trainer

__all__ = ["Interrupted", "TrainingResult", "TrainingSpec", "train"]

log = logging.getLogger(__name__)
Numbered = tuple[list[int], Trainer]


def train(
    jobs: Sequence[TrainingSpec],
    train: Dataset,
    test: Dataset,
    recipe: Recipe,
    compute: Compute,
    callbacks: Callbacks = SILENT,
    *,
    checkpoint_minutes: float = 5.0,
) -> list[TrainingResult]:
    """Trains every job (all of one architecture) on `train` by `recipe` and tests it after each epoch on `test`.

    Jobs with a directory go on from the checkpoint there. The results are in the order of the jobs.

    checkpoint_minutes: between checkpoints; 0: one at every epoch's end. A snapshot between epochs brings one too.

    Raises `UserError` for an unknown device or precision, and for a recipe that does not fit the data.
    """
    compute = compute.resolved()
    device = compute.hardware
    if not jobs:
        return []
    check_batches(jobs[0].model, train, recipe)
    with numerics(device, compute.precision, compute.deterministic):
        concurrency = choose(jobs[0].model, train, recipe, compute, len(jobs))
        log.debug("%d trainings: %s", len(jobs), concurrency.why)
        layout = memory_format(jobs[0].model, train.input_shape, device)
        setting = Setting(train.to(device), test.to(device), recipe, device, compute.precision, layout)
        circumstances = compute.precision, device.type, compute.deterministic
        identities = [identity(job, setting.epochs(job), train, recipe, *circumstances) for job in jobs]
        watch = StopAndSave(callbacks, checkpoint_minutes * 60)
        with limited(concurrency.threads):
            dispatcher = Dispatcher(jobs, setting, identities, concurrency.stack, concurrency.width)
            return _run_all(dispatcher, concurrency, watch)


def _run_all(dispatcher: Dispatcher, concurrency: Concurrency, watch: StopAndSave) -> list[TrainingResult]:
    """Runs all jobs of `dispatcher`, fewer at a time where memory ends; their results in the jobs' order."""
    results: dict[int, TrainingResult] = {}

    def ended(group: Sequence[int], trainer: Trainer) -> None:
        for number, result in zip(group, trainer.results(), strict=True):
            results[number] = result
            watch.callbacks.finished(number, result)

    while dispatcher.waiting:
        trainers = dispatcher.launch()
        groups = [group for group, _ in trainers]
        exhausted = _exhausted(trainers, watch, ended, concurrency)
        del trainers  # before the next are built, which need their memory
        if exhausted:
            dispatcher.relaunch([group for group in groups if group[0] not in results], exhausted)
    return [results[number] for number in range(len(dispatcher.jobs))]


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
    trainers: Sequence[Numbered],
    watch: StopAndSave,
    ended: Callable[[Sequence[int], Trainer], None],
    concurrency: Concurrency,
) -> Exception | None:
    """Trains `trainers`; returns the error where memory was too small, without its traceback, which holds memory."""
    try:
        run(trainers, watch, ended, concurrency.threads_each(len(trainers)))
    except torch.OutOfMemoryError as error:
        return error.with_traceback(None)
    return None


def run(
    trainers: Sequence[Numbered],
    watch: StopAndSave,
    ended: Callable[[Sequence[int], Trainer], None],
    threads_each: int | None,
) -> None:
    """Runs `trainers` side by side, each with the numbers of its jobs; calls `ended` for each that is done.

    threads_each: see `StepExecutor`.
    """
    going = list(trainers)
    with StepExecutor([trainer for _, trainer in trainers], threads_each) as executor:
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
            kept = (trainer.iteration in job.snapshots | job.best_of for trainer in active for job in trainer.jobs)
            if watch.due() or any(kept):
                watch.save(active)
            for (group, _), trainer_rows in zip(going, rows, strict=True):
                for job, row in zip(group, trainer_rows, strict=True):
                    if row is not None:
                        watch.callbacks.progress(job, row)


def _share(trainers: Sequence[Trainer], since: float) -> float:
    """Adds the time since `since` to the tickets in `trainers`, in equal parts; returns the time now."""
    now = time.perf_counter()
    tickets = sum(len(trainer.jobs) for trainer in trainers)
    for trainer in trainers:
        trainer.walls = [wall + (now - since) / tickets for wall in trainer.walls]
    return now
