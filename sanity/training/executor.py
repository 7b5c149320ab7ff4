"""Takes the steps of several trainers: in turn in one thread, or each in a worker thread of its own.

On a GPU a step is only launched, so one thread is enough; on a CPU a small network leaves all cores but one idle.
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
    """Context manager; on exit all worker threads have stopped.

    threads_each: CPU threads of each trainer, which then takes its steps in a worker thread of its own; None: the
    calling thread takes the steps of all in turn.
    """

    def __init__(self, trainers: Sequence[Trainer], threads_each: int | None) -> None:
        self._leaving = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        if threads_each is not None:
            self._pool = ThreadPoolExecutor(
                len(trainers), "trainer", initializer=torch.set_num_threads, initargs=(threads_each,)
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
        """Returns the results of `work` for each trainer. Raises what it raises, once all have ended."""

        def work_on(trainer: Trainer) -> Result:
            with trainer.current():
                return work(trainer)

        if self._pool is None:
            return [work_on(trainer) for trainer in trainers]
        futures = [self._pool.submit(work_on, trainer) for trainer in trainers]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def steps(self, trainers: Sequence[Trainer], halt: Callable[[], bool]) -> bool:
        """Takes the steps that are left of the trainers' epoch, until `halt`, asked after each, says so: then True.

        With threads, each of them asks `halt`, and an error in one trainer ends the others' steps too.
        """
        if self._pool is not None:
            return any(self.each(trainers, lambda trainer: self._until_halted(trainer, halt)))
        while behind := [trainer for trainer in trainers if trainer.taken < trainer.steps]:
            for trainer in behind:
                with trainer.current():
                    trainer.advance()
            if halt():
                return True
        return False

    def _until_halted(self, trainer: Trainer, halt: Callable[[], bool]) -> bool:
        try:
            while trainer.taken < trainer.steps:
                trainer.advance()
                if halt() or self._leaving.is_set():
                    return True
        except BaseException:
            self._leaving.set()
            raise
        return False
