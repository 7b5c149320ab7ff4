"""Decides which trainings run side by side: fully connected networks as one stack, on a GPU several in streams."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
from torch import nn

from sanity.recipes import Recipe
from sanity.training.checkpoint import Checkpoint, find
from sanity.training.cuda_graph import capture
from sanity.training.job import TrainingSpec
from sanity.training.stacked_linear import can_stack, is_sparse
from sanity.training.trainer import Setting, Trainer

log = logging.getLogger(__name__)

STACK = {"cpu": 4, "cuda": 8}
"""Tickets of one stack. On a CPU (Zen 5, LeNet-300-100, batch 100, 5 % kept, bf16, ms a step and ticket) 1 take 1.11, 4
take 0.64, 8 and 16 no less; small stacks leave something to do for the other cores."""


def stack_size(device: torch.device) -> int:
    """The most tickets of one stack on `device`."""
    return STACK[device.type]


def stacks(model: nn.Module, recipe: Recipe, deterministic: bool) -> bool:
    """Whether trainings of such networks may share a stack.

    Not with `deterministic` (the rounding of a stack depends on its size), nor where the learning rate follows each
    job's own loss.
    """
    return can_stack(model) and not deterministic and recipe.schedule != "plateau"


def groups(
    jobs: Sequence[TrainingSpec], at: Sequence[Checkpoint], setting: Setting, deterministic: bool
) -> list[list[int]]:
    """The jobs by number, in groups that can share a trainer: one architecture of linear layers, one position, and all
    sparse or none (on a CPU, four LeNet-300-100 of which one is dense take 1.7 times as long as four at 5 %).
    """
    alike: dict[object, list[int]] = {}
    for number, (job, position) in enumerate(zip(jobs, at, strict=True)):
        key: object = number
        if stacks(job.model, setting.recipe, deterministic):
            shapes = tuple((name, tensor.shape) for name, tensor in job.model.state_dict().items())
            place = (setting.epochs(job), position.epoch, position.step)
            key = (str(job.model), shapes, place, is_sparse(job.mask))
        alike.setdefault(key, []).append(number)
    most = stack_size(setting.device)
    return [part for group in alike.values() for part in _parts(group, most)]


def _parts(group: list[int], most: int) -> list[list[int]]:
    """At most `most` a part, and all parts about equally long."""
    count = -(-len(group) // most)
    return [group[part::count] for part in range(count)]


class Dispatcher:
    """Hands out the jobs of one call of `train`, as many trainers at a time as pay off."""

    def __init__(
        self,
        jobs: Sequence[TrainingSpec],
        setting: Setting,
        identities: Sequence[str],
        deterministic: bool,
        width: int | None,
    ) -> None:
        self.jobs, self.setting, self.identities = jobs, setting, identities
        at = [self._find(number) for number in range(len(jobs))]
        self.waiting = groups(jobs, at, setting, deterministic)
        self.at: dict[int, Checkpoint] = dict(enumerate(at))
        self.width = width or (1 if deterministic or setting.device.type != "cuda" else None)
        """How many trainers run at a time; None: not yet measured."""

    def launch(self) -> list[tuple[list[int], Trainer]]:
        """The next trainers with the numbers of their jobs; empty when none is left."""
        trainers: list[Trainer] = []
        width = min(self.width or 1, len(self.waiting))
        self._grow(trainers, width)
        if trainers and self.width is None:
            self.width = widen(trainers, len(self.waiting), lambda count: self._grow(trainers, count), self._fits)
            del trainers[self.width :]
        numbers = self.waiting[: len(trainers)]
        del self.waiting[: len(trainers)]
        return list(zip(numbers, trainers, strict=True))

    def _grow(self, trainers: list[Trainer], count: int) -> None:
        """Adds trainers until there are `count`, or fewer where memory ends before."""
        for group in self.waiting[len(trainers) : count]:
            try:
                trainers.append(self._trainer(group))
            except torch.OutOfMemoryError:
                if not trainers:
                    raise
                log.warning("out of memory for %d runs side by side: going on with %d", count, len(trainers))
                return

    def _trainer(self, group: list[int]) -> Trainer:
        at = [self._position(number) for number in group]
        trainer = Trainer(
            [self.jobs[number] for number in group], self.setting, [self.identities[n] for n in group], at
        )
        full = len(trainer.indices[0]) >= self.setting.recipe.batch_size  # only full steps are recorded
        recordable = self.setting.device.type == "cuda" and self.setting.train.in_memory
        if recordable and full and not trainer.done:
            capture(trainer)
        return trainer

    def _position(self, number: int) -> Checkpoint:
        return self.at.pop(number) if number in self.at else self._find(number)

    def _find(self, number: int) -> Checkpoint:
        job = self.jobs[number]
        return find(job, self.setting.epochs(job), self.identities[number])

    def _fits(self, trainers: int, more: int) -> bool:
        """Whether memory holds `more` trainers like the present `trainers` and leaves a tenth free."""
        free, total = torch.cuda.mem_get_info(self.setting.device)
        held = torch.cuda.memory_reserved(self.setting.device)
        return held / trainers * more < free - total / 10

    def relaunch(self, numbers: Sequence[list[int]], error: Exception) -> None:
        """Puts jobs that ran out of memory back, for half as many trainers; raises `error` for one job alone."""
        jobs = [number for group in numbers for number in group]
        if len(jobs) == 1:
            raise error
        self.width = max(len(numbers) // 2, 1)
        self.waiting[:0] = [[number] for number in jobs]
        log.warning("out of memory with %d runs side by side: going on with %d", len(jobs), self.width)
        if self.setting.device.type == "cuda":
            torch.cuda.empty_cache()


def widen(
    trainers: Sequence[Trainer],
    most: int,
    grow: Callable[[int], None],
    fits: Callable[[int, int], bool],
    gain: float = 1.05,
) -> int:
    """The number of trainers, doubled as long as there is room and each doubling trains more per second by `gain`.

    `grow(count)` adds trainers until there are `count`; `fits(have, more)` tells whether there is memory for more.
    """
    best, width = step_time(trainers), 1
    while width < most and fits(width, min(2 * width, most) - width):
        grow(min(2 * width, most))
        cost = step_time(trainers) / len(trainers)
        if len(trainers) == width or cost * gain > best:
            break
        best, width = cost, len(trainers)
    log.info("%d runs side by side, %.2f ms a step of each", width, 1000 * best)
    return width


def step_time(trainers: Sequence[Trainer], most: int = 20) -> float:
    """Seconds in which all `trainers` take one step; what they do is undone."""
    device = trainers[0].setting.device
    rounds = max(min(most, *(trainer.steps - 1 for trainer in trainers)), 1)
    with ExitStack() as undone:
        for trainer in trainers:
            undone.enter_context(trainer.rehearsal())
        if min(trainer.steps for trainer in trainers) > 1:
            _turn(trainers)  # a graph's first launch takes longer
        _synchronise(device)
        began = time.perf_counter()
        for _ in range(rounds):
            _turn(trainers)
        _synchronise(device)
        return (time.perf_counter() - began) / rounds


def _turn(trainers: Sequence[Trainer]) -> None:
    for trainer in trainers:
        with trainer.current():
            trainer.take_step()


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
