"""Takes the steps of trainers: on a GPU one thread in turn, on a CPU a thread for each.

A step is only launched on a GPU; on a CPU a small network leaves all cores but one idle.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import torch

from sanity.training.trainer import Trainer

Result = TypeVar("Result")


class StepExecutor:
    """To be used as a context: what it leaves, no thread works on any more.

    apart: whether trainers may have a thread each; not where they draw from torch's global generator, which they share.
    """

    def __init__(self, trainers: Sequence[Trainer], apart: bool) -> None:
        self._leaving = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        if apart and len(trainers) > 1:
            share = max(torch.get_num_threads() // len(trainers), 1)
            self._pool = ThreadPoolExecutor(
                len(trainers), "trainer", initializer=torch.set_num_threads, initargs=(share,)
            )

    def __enter__(self) -> "StepExecutor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        if self._pool is not None:
            self._pool.shutdown()

    def each(self, trainers: Sequence[Trainer], work: Callable[[Trainer], Result]) -> list[Result]:
        """What `work` gives for each of the trainers. Raises what it raises, once all have ended."""

        def one(trainer: Trainer) -> Result:
            with trainer.current():
                return work(trainer)

        if self._pool is None:
            return [one(trainer) for trainer in trainers]
        futures = [self._pool.submit(one, trainer) for trainer in trainers]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def steps(self, trainers: Sequence[Trainer], halt: Callable[[], bool]) -> bool:
        """Takes the steps that are left of the trainers' epoch, until `halt`, asked after each, says so: then True.

        With threads, each of them asks `halt`, and an error in one trainer ends the others' steps too.
        """
        if self._pool is not None:
            return any(self.each(trainers, lambda trainer: self._alone(trainer, halt)))
        while behind := [trainer for trainer in trainers if trainer.taken < trainer.steps]:
            for trainer in behind:
                with trainer.current():
                    trainer.advance()
            if halt():
                return True
        return False

    def _alone(self, trainer: Trainer, halt: Callable[[], bool]) -> bool:
        try:
            while trainer.taken < trainer.steps:
                trainer.advance()
                if halt() or self._leaving.is_set():
                    return True
        except BaseException:
            self._leaving.set()
            raise
        return False
