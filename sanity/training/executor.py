"""Who takes the steps of lanes: on a GPU one thread in turn, since a step is only launched there; on a CPU a thread for
each lane, since a small network leaves all cores but one idle."""

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import torch
from torch import nn

from sanity.training.trainer import Lane

Result = TypeVar("Result")


def draws(model: nn.Module, input_shape: Sequence[int]) -> bool:
    """Whether a pass of `model` in training draws from torch's global generator, as dropout does."""
    net = copy.deepcopy(model).cpu().train()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        before = torch.get_rng_state()
        net(torch.zeros(2, *input_shape))
        return not torch.equal(before, torch.get_rng_state())


class Crew:
    """To be used as a context: what it leaves, no thread works on any more.

    apart: whether lanes may have a thread each; not where they draw from torch's global generator, which they share.
    """

    def __init__(self, lanes: Sequence[Lane], apart: bool) -> None:
        self._leaving = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        if apart and len(lanes) > 1:
            share = max(torch.get_num_threads() // len(lanes), 1)
            self._pool = ThreadPoolExecutor(len(lanes), "lane", initializer=torch.set_num_threads, initargs=(share,))

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        if self._pool is not None:
            self._pool.shutdown()

    def each(self, lanes: Sequence[Lane], work: Callable[[Lane], Result]) -> list[Result]:
        """What `work` gives for each of the lanes. Raises what it raises, once all have ended."""

        def one(lane: Lane) -> Result:
            with lane.current():
                return work(lane)

        if self._pool is None:
            return [one(lane) for lane in lanes]
        futures = [self._pool.submit(one, lane) for lane in lanes]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def steps(self, lanes: Sequence[Lane], halt: Callable[[], bool]) -> bool:
        """Takes the steps that are left of the lanes' epoch, until `halt`, asked after each, says so: then True.

        With threads, each of them asks `halt`, and an error in one lane ends the others' steps too.
        """
        if self._pool is not None:
            return any(self.each(lanes, lambda lane: self._alone(lane, halt)))
        for step in range(min(lane.step for lane in lanes), lanes[0].steps):
            for lane in lanes:
                if lane.step == step:
                    with lane.current():
                        lane.take_step()
            if halt():
                return True
        return False

    def _alone(self, lane: Lane, halt: Callable[[], bool]) -> bool:
        try:
            while lane.step < lane.steps:
                lane.take_step()
                if halt() or self._leaving.is_set():
                    return True
        except BaseException:
            self._leaving.set()
            raise
        return False
