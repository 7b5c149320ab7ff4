"""Hands out the trainings of one call of `train`: groups them into stacks, and starts as many at a time as pay off."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

import torch

from sanity.training.checkpoint import Checkpoint, find
from sanity.training.cuda_graph import capture
from sanity.training.job import TrainingSpec
from sanity.training.setting import Setting
from sanity.training.stacked_linear import is_sparse
from sanity.training.trainer import Trainer

log = logging.getLogger(__name__)
Item = TypeVar("Item")
Group = TypeVar("Group")


def groups(jobs: Sequence[TrainingSpec], at: Sequence[Checkpoint], setting: Setting, stack: int) -> list[list[int]]:
    """Returns the jobs by number, in groups of at most `stack` that can share a trainer.

    A group has one architecture, one position on the schedule, one learning rate, and sparse masks only or none: on a
    CPU, four LeNet-300-100 of which one is dense take 1.7 times as long as four at 5 %. Its tickets all train their
    weights, or all train scores. A ticket with frozen weights is alone, or with a mask that changes.
    """
    if stack == 1:
        return [[number] for number in range(len(jobs))]
    alike: dict[object, list[int]] = {}
    for number, (job, checkpoint) in enumerate(zip(jobs, at, strict=True)):
        shapes = tuple((name, tensor.shape) for name, tensor in job.model.state_dict().items())
        place = (setting.epochs(job), checkpoint.epoch, checkpoint.step, job.learning_rate)
        alone = number if job.frozen or job.updates is not None else None
        scored = None if job.learns is None else tuple(job.learns.first)
        alike.setdefault((str(job.model), shapes, place, is_sparse(job.mask), scored, alone), []).append(number)
    return [part for group in alike.values() for part in _parts(group, stack)]


def _parts(group: list[int], most: int) -> list[list[int]]:
    """Returns parts of at most `most`, all about equally long."""
    count = -(-len(group) // most)
    return [group[part::count] for part in range(count)]


class Dispatcher:
    """Hands out the jobs of one call of `train`.

    stack: how many jobs may share a trainer. width: how many trainers run at a time; None: as many as a measurement
    says, which is made at the first launch. waiting: the groups of jobs, by number, that are still to be launched.
    """

    def __init__(
        self, jobs: Sequence[TrainingSpec], setting: Setting, identities: Sequence[str], stack: int, width: int | None
    ) -> None:
        self.jobs, self.setting, self.identities, self.width = jobs, setting, identities, width
        checkpoints = [self._find(number) for number in range(len(jobs))]
        self.waiting = groups(jobs, checkpoints, setting, stack)
        self._unused: dict[int, Checkpoint] = dict(enumerate(checkpoints))

    def launch(self) -> list[tuple[list[int], Trainer]]:
        """Returns the next trainers with the numbers of their jobs; empty when none is left."""
        if self.width is None:
            trainers = widen(self.waiting, self._build, self._fits, step_time)
            self.width = len(trainers)
        else:
            trainers = self._build(self.waiting[: self.width], 0)
        numbers = self.waiting[: len(trainers)]
        del self.waiting[: len(trainers)]
        return list(zip(numbers, trainers, strict=True))

    def _build(self, waiting: Sequence[list[int]], beside: int) -> list[Trainer]:
        """Trainers for the groups in `waiting`, `beside` others; fewer where memory ends before."""
        trainers: list[Trainer] = []
        for group in waiting:
            try:
                trainers.append(self._trainer(group))
            except torch.OutOfMemoryError:
                built = beside + len(trainers)
                if not built:
                    raise
                log.warning("out of memory for %d runs side by side: going on with %d", built + 1, built)
                break
        return trainers

    def _trainer(self, group: list[int]) -> Trainer:
        at = [self._unused.pop(number) if number in self._unused else self._find(number) for number in group]
        jobs, identities = [self.jobs[number] for number in group], [self.identities[number] for number in group]
        trainer = Trainer(jobs, self.setting, identities, at)
        full = len(trainer.indices[0]) >= self.setting.recipe.batch_size  # only full steps are recorded
        recordable = self.setting.device.type == "cuda" and self.setting.train.in_memory
        waits = trainer.updater is not None or trainer.stacked_model.learnt is not None  # for the device
        if recordable and full and not trainer.done and not waits:
            capture(trainer)
        return trainer

    def _find(self, number: int) -> Checkpoint:
        job = self.jobs[number]
        return find(job, self.setting.epochs(job), self.identities[number])

    def _fits(self, trainers: int, more: int) -> bool:
        """Returns whether memory holds `more` trainers like the present `trainers` and leaves a tenth free."""
        free, total = torch.cuda.mem_get_info(self.setting.device)
        held = torch.cuda.memory_reserved(self.setting.device)
        return held / trainers * more < free - total / 10

    def relaunch(self, groups: Sequence[list[int]], error: Exception) -> None:
        """Takes back the jobs of trainers that ran out of memory: each alone, half as many trainers at a time.

        Raises `error` for a job that was alone.
        """
        jobs = [number for group in groups for number in group]
        if len(jobs) == 1:
            raise error
        self.width = max(len(groups) // 2, 1)
        self.waiting[:0] = [[number] for number in jobs]
        log.warning("out of memory with %d runs side by side: going on with %d", len(jobs), self.width)
        if self.setting.device.type == "cuda":
            torch.cuda.empty_cache()


def widen(
    waiting: Sequence[Group],
    build: Callable[[Sequence[Group], int], list[Item]],
    fits: Callable[[int, int], bool],
    cost: Callable[[Sequence[Item]], float],
    gain: float = 1.05,
) -> list[Item]:
    """Trainers for the first groups in `waiting`: doubled while each doubling trains more per second by `gain`.

    build: makes trainers for groups, beside so many; fewer where memory ends. fits: whether memory holds so many more
    beside so many. cost: seconds of a step of all of them; memory that ends there means that more do not pay.
    """
    trainers = build(waiting[:1], 0)
    best = cost(trainers)
    while len(trainers) < len(waiting):
        more = min(len(trainers), len(waiting) - len(trainers))
        if not fits(len(trainers), more):
            break
        wider = [*trainers, *build(waiting[len(trainers) : len(trainers) + more], len(trainers))]
        if len(wider) == len(trainers):
            break
        try:
            each = cost(wider) / len(wider)
        except torch.OutOfMemoryError:
            log.warning("out of memory with %d runs side by side: going on with %d", len(wider), len(trainers))
            break
        if each * gain > best:
            break
        trainers, best = wider, each
    log.info("%d runs side by side, %.2f ms a step of each", len(trainers), 1000 * best)
    return trainers


def step_time(trainers: Sequence[Trainer], most: int = 20) -> float:
    """Seconds in which all `trainers` take one step; the steps taken are undone, also where memory ends."""
    device = trainers[0].setting.device
    steps = min(trainer.steps for trainer in trainers)
    rounds = max(min(most, steps - 1), 1)
    with ExitStack() as undone:
        for trainer in trainers:
            undone.enter_context(trainer.rehearsal())
        if steps > 1:
            _step_each(trainers)  # a graph's first launch takes longer
        _synchronise(device)
        began = time.perf_counter()
        for _ in range(rounds):
            _step_each(trainers)
        _synchronise(device)
        return (time.perf_counter() - began) / rounds


def _step_each(trainers: Sequence[Trainer]) -> None:
    for trainer in trainers:
        with trainer.current():
            trainer.take_step()


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
