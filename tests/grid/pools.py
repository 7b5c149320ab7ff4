"""A pool of workers in this process, which loses workers, fills disks and refuses machines where a test says so."""

import pickle
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sanity.config.engines import RayOptions
from sanity.grid.pool_worker import Died, Report, Setup, Worker
from sanity.grid.scratch import Files, Folder
from sanity.grid.work import Job, Outcome


class Killed(BaseException):
    """Ends a worker in the middle of its tasks."""


class Fuse:
    """In place of the event by which a worker is told to stop: kills it when that was asked so often."""

    def __init__(self, times: int) -> None:
        self.left = times

    def is_set(self) -> bool:
        self.left -= 1
        if self.left <= 0:
            raise Killed
        return False


@dataclass(eq=False)
class Member:
    node: str
    worker: Worker
    task: Any = None
    holds: dict[Folder, frozenset[str]] = field(default_factory=dict)


Before = Callable[[Member, Sequence[Job]], Report | Died | None]
"""What comes of tasks without that they are run; None: they are run."""


class PoolHere:
    """Runs tasks when it is asked to wait; what goes to a worker and back is pickled, as between processes.

    before: called before tasks are run. shuffled: which worker answers first is up to chance.
    """

    def __init__(self, options: RayOptions, workers: int, before: Before = lambda member, jobs: None) -> None:
        self.options, self.workers, self.before = options, workers, before
        self.members: list[Member] = []
        self.excluded: dict[str, str] = {}
        self.batches: list[list[str]] = []
        self.chance = random.Random(0)
        self.started = 0

    def grow(self, wanted: int) -> int:
        while len(self.members) < min(wanted, self.workers):
            self.started += 1
            node = next(node for node in ("first", "second") if node not in self.excluded)
            self.members.append(Member(node, Worker(1)))
        return self.workers

    def idle(self) -> list[Member]:
        return [member for member in self.members if member.task is None]

    @property
    def busy(self) -> list[Member]:
        return [member for member in self.members if member.task is not None]

    def hand(self, member: Member, setup: Setup, jobs: Sequence[Job], files: Mapping[Folder, Files] | None) -> None:
        self.batches.append([job.title for job in jobs])
        member.task = pickle.dumps((setup, list(jobs), files))

    def wait(self, seconds: float) -> list[tuple[Member, Report | Died]]:
        if not self.busy:
            return []
        member = self.chance.choice(self.busy)
        setup, jobs, files = pickle.loads(member.task)
        answer = self.before(member, jobs)
        if answer is None:
            try:
                answer = pickle.loads(pickle.dumps(member.worker.work(setup, jobs, files)))
            except Killed:
                answer = Died("killed")
        member.task = None
        if isinstance(answer, Died) or member.node in self.excluded:
            self.members.remove(member)
        return [(member, answer)]

    def exclude(self, node: str, reason: str) -> None:
        self.excluded[node] = reason
        self.members = [member for member in self.members if member.node != node or member.task is not None]

    def epochs(self) -> tuple[int, int]:
        counts = [member.worker.epochs() for member in self.members]
        return sum(done for done, _ in counts), sum(trained for _, trained in counts)

    def stop(self) -> None:
        for member in self.members:
            member.worker.stop()


def same(state: str) -> Callable[[Sequence[Job]], Report]:
    """The answer of a worker whose tasks all come to one state."""
    return lambda jobs: Report([Outcome(state, f"it is {state}") for _ in jobs], [], {})  # type: ignore[arg-type]
