"""Which jobs are trained side by side: fully connected ones as one stack, on a GPU several lanes in their streams."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
from torch import nn

from sanity.recipes import Recipe
from sanity.training.checkpoint import Position, find
from sanity.training.cuda_graph import capture
from sanity.training.job import Job
from sanity.training.stacked_linear import can_stack, is_sparse
from sanity.training.trainer import Lane, Setting

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


def groups(jobs: Sequence[Job], at: Sequence[Position], setting: Setting, deterministic: bool) -> list[list[int]]:
    """The jobs by number, in groups that can share a lane: one architecture of linear layers, one position, and all
    sparse or none (on a CPU, four LeNet-300-100 of which one is dense take 1.7 times as long as four at 5 %).
    """
    alike: dict[object, list[int]] = {}
    for number, (job, position) in enumerate(zip(jobs, at, strict=True)):
        key: object = number
        if stacks(job.model, setting.recipe, deterministic):
            shapes = tuple((name, tensor.shape) for name, tensor in job.model.state_dict().items())
            place = (job.start_epoch, job.length(setting.recipe), position.epoch, position.step)
            key = (str(job.model), shapes, place, is_sparse(job.mask))
        alike.setdefault(key, []).append(number)
    most = stack_size(setting.device)
    return [part for group in alike.values() for part in _parts(group, most)]


def _parts(group: list[int], most: int) -> list[list[int]]:
    """At most `most` a part, and all parts about equally long."""
    count = -(-len(group) // most)
    return [group[part::count] for part in range(count)]


class Fleet:
    """Hands out the jobs of one call of `train`, as many lanes at a time as pay off."""

    def __init__(
        self, jobs: Sequence[Job], setting: Setting, identities: Sequence[str], deterministic: bool, width: int | None
    ) -> None:
        self.jobs, self.setting, self.identities = jobs, setting, identities
        at = [find(job, identity) for job, identity in zip(jobs, identities, strict=True)]
        self.waiting = groups(jobs, at, setting, deterministic)
        self.at: dict[int, Position] = dict(enumerate(at))
        self.width = width or (1 if deterministic or setting.device.type != "cuda" else None)
        """How many lanes run at a time; None: not yet measured."""

    def launch(self) -> list[tuple[list[int], Lane]]:
        """The next lanes with the numbers of their jobs; empty when none is left."""
        lanes: list[Lane] = []
        width = min(self.width or 1, len(self.waiting))
        self._grow(lanes, width)
        if lanes and self.width is None:
            self.width = widen(lanes, len(self.waiting), lambda count: self._grow(lanes, count), self._fits)
            del lanes[self.width :]
        numbers = self.waiting[: len(lanes)]
        del self.waiting[: len(lanes)]
        return list(zip(numbers, lanes, strict=True))

    def _grow(self, lanes: list[Lane], count: int) -> None:
        """Adds lanes until there are `count`, or fewer where memory ends before."""
        for group in self.waiting[len(lanes) : count]:
            try:
                lanes.append(self._lane(group))
            except torch.OutOfMemoryError:
                if not lanes:
                    raise
                log.warning("out of memory for %d runs side by side: going on with %d", count, len(lanes))
                return

    def _lane(self, group: list[int]) -> Lane:
        at = [self._position(number) for number in group]
        lane = Lane([self.jobs[number] for number in group], self.setting, [self.identities[n] for n in group], at)
        full = len(lane.indices[0]) >= self.setting.recipe.batch_size  # only full steps are recorded
        if self.setting.device.type == "cuda" and full and not lane.done:
            capture(lane)
        return lane

    def _position(self, number: int) -> Position:
        return self.at.pop(number) if number in self.at else find(self.jobs[number], self.identities[number])

    def _fits(self, lanes: int, more: int) -> bool:
        """Whether `more` lanes like the `lanes` that there are find room, with a tenth of the memory left free."""
        free, total = torch.cuda.mem_get_info(self.setting.device)
        held = torch.cuda.memory_reserved(self.setting.device)
        return held / lanes * more < free - total / 10

    def relaunch(self, numbers: Sequence[list[int]], error: Exception) -> None:
        """Puts jobs that ran out of memory back, for half as many lanes; raises `error` where it was one job alone."""
        jobs = [number for group in numbers for number in group]
        if len(jobs) == 1:
            raise error
        self.width = max(len(numbers) // 2, 1)
        self.waiting[:0] = [[number] for number in jobs]
        log.warning("out of memory with %d runs side by side: going on with %d", len(jobs), self.width)
        if self.setting.device.type == "cuda":
            torch.cuda.empty_cache()


def widen(
    lanes: Sequence[Lane], most: int, grow: Callable[[int], None], fits: Callable[[int, int], bool], gain: float = 1.05
) -> int:
    """The number of lanes, doubled as long as there is room and each doubling trains more per second by `gain`.

    `grow(count)` adds lanes until there are `count`; `fits(have, more)` tells whether there is memory for more.
    """
    best, width = step_time(lanes), 1
    while width < most and fits(width, min(2 * width, most) - width):
        grow(min(2 * width, most))
        cost = step_time(lanes) / len(lanes)
        if len(lanes) == width or cost * gain > best:
            break
        best, width = cost, len(lanes)
    log.info("%d runs side by side, %.2f ms a step of each", width, 1000 * best)
    return width


def step_time(lanes: Sequence[Lane], most: int = 20) -> float:
    """Seconds in which all `lanes` take one step; what they do is undone."""
    device = lanes[0].setting.device
    rounds = max(min(most, lanes[0].steps - 1), 1)
    with ExitStack() as undone:
        for lane in lanes:
            undone.enter_context(lane.rehearsal())
        if lanes[0].steps > 1:
            _turn(lanes)  # a graph's first launch takes longer
        _synchronise(device)
        began = time.perf_counter()
        for _ in range(rounds):
            _turn(lanes)
        _synchronise(device)
        return (time.perf_counter() - began) / rounds


def _turn(lanes: Sequence[Lane]) -> None:
    for lane in lanes:
        with lane.current():
            lane.take_step()


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
