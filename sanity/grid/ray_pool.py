"""Keeps workers of Ray: starts them on every machine that has room, hands them tasks, replaces those that end.

The only module that imports `ray`.
"""

import logging
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sanity.config.engines import RayOptions
from sanity.errors import UserError
from sanity.grid.pool_worker import Died, Report, Setup, Worker
from sanity.grid.scratch import Files, Folder
from sanity.grid.work import Job

try:
    import ray
    from ray.autoscaler.sdk import request_resources
    from ray.exceptions import RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError:
    raise UserError("engine=ray: Ray is not installed; pip install 'pruning-sanity[ray]'") from None

log = logging.getLogger("sanity")
_OBJECT_STORE = 200 * 2**20
"""Bytes of a local Ray's object store, which holds tasks and, without a shared folder, files on their way."""
_ENOUGH = 1e-9
_MOST_ASKED = 1000
"""The most workers that a cluster is asked to have room for; it has its own limit on machines."""


@dataclass(eq=False)
class Member:
    """A worker of the pool.

    task: what it is asked at the moment; None: it has nothing to do. holds: the files of the finished results that it
    made, by name.
    """

    actor: Any
    node: str
    task: Any
    holds: dict[Folder, frozenset[str]] = field(default_factory=dict)
    counted: tuple[int, int] = (0, 0)
    asked: Any = None
    started: bool = False


class Pool:
    """Holds the workers of a run; `closing` ends them."""

    def __init__(self, options: RayOptions, gpus: float) -> None:
        self.options, self._gpus = options, gpus
        self.members: list[Member] = []
        self.excluded: dict[str, str] = {}
        """Machines that cannot work on the run, each with the reason."""
        self._lost = (0, 0)
        self._asked = 0
        self._without_room: float | None = None
        """Since when no machine has had room for a worker; None: one has."""
        self._actor = ray.remote(
            num_cpus=options.cpus_per_run, num_gpus=gpus, max_restarts=0, concurrency_groups={"control": 1}
        )(_methods())

    def grow(self, wanted: int) -> int:
        """Starts workers where there is room, up to so many in all; returns for how many there is room.

        A cluster that starts machines is told of them all. Raises `UserError` if no machine has room for one, and none
        has come within `ray.wait_minutes`.
        """
        self._ask_for(wanted)
        rooms = {node["NodeID"]: self._room(node["Resources"]) for node in ray.nodes() if node["Alive"]}
        if not any(rooms.values()):
            return self._wait_for_room()
        self._without_room = None
        for member in [member for member in self.idle() if member.node not in rooms]:  # its machine has left
            self.dismiss(member)
        if not self.busy and all(node in self.excluded for node, room in rooms.items() if room):
            raise UserError(f"engine=ray: no machine can work on this run: {next(iter(self.excluded.values()))}")
        rooms = {node: room for node, room in rooms.items() if node not in self.excluded}
        most = min(sum(rooms.values()), self.options.workers or sum(rooms.values()))
        for node, room in rooms.items():
            here = sum(member.node == node for member in self.members)
            for _ in range(max(min(room - here, min(most, wanted) - len(self.members)), 0)):
                strategy = NodeAffinitySchedulingStrategy(node, soft=False)
                actor = self._actor.options(scheduling_strategy=strategy).remote(self.options.cpus_per_run)
                self.members.append(Member(actor, node, actor.place.remote()))
        return most

    def idle(self) -> list[Member]:
        """Returns the workers that have started and have nothing to do."""
        return [member for member in self.members if member.task is None]

    @property
    def busy(self) -> list[Member]:
        """The workers that work on tasks."""
        return [member for member in self.members if member.started and member.task is not None]

    def hand(self, member: Member, setup: Setup, jobs: Sequence[Job], files: Mapping[Folder, Files] | None) -> None:
        """Hands tasks to a worker that has nothing to do."""
        member.task = member.actor.work.remote(setup, list(jobs), files)

    def wait(self, seconds: float) -> list[tuple[Member, Report | Died]]:
        """Waits up to so many seconds, and returns the workers that have ended their tasks, or ended themselves.

        Raises what a worker's own code raises, which is a defect of this suite.
        """
        asked = {member.task: member for member in self.members if member.task is not None}
        if not asked:
            time.sleep(seconds)
            return []
        ended, _ = ray.wait(list(asked), num_returns=1, timeout=seconds)
        if ended:
            ended, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        answers: list[tuple[Member, Report | Died]] = []
        for task in ended:
            member = asked[task]
            try:
                answer = ray.get(task)
            except RayTaskError as error:
                raise error.as_instanceof_cause() from None
            except RayError as error:
                answers.append((member, Died(_first_line(error))))
                self.dismiss(member)
                continue
            member.task = None
            if member.started:
                answers.append((member, answer))
            member.started = True
            if member.node in self.excluded:
                self.dismiss(member)
        return answers

    def exclude(self, node: str, reason: str) -> None:
        """Gives a machine no further tasks."""
        self.excluded[node] = reason
        for member in [member for member in self.idle() if member.node == node]:
            self.dismiss(member)

    def dismiss(self, member: Member) -> None:
        """Ends a worker."""
        if member in self.members:
            self.members.remove(member)
            self._lost = (self._lost[0] + member.counted[0], self._lost[1] + member.counted[1])
            with suppress(RayError):
                ray.kill(member.actor)

    def epochs(self) -> tuple[int, int]:
        """Returns how many epochs all workers have done, and trained, as far as they have told."""
        for member in self.members:
            if member.asked is not None and ray.wait([member.asked], timeout=0)[0]:
                with suppress(RayError):
                    member.counted = ray.get(member.asked)
                member.asked = None
            if member.asked is None and member.started:
                member.asked = member.actor.epochs.remote()
        counts = [self._lost, *(member.counted for member in self.members)]
        return sum(done for done, _ in counts), sum(trained for _, trained in counts)

    def stop(self) -> None:
        """Has all workers save the state of their tasks and end them."""
        for member in self.members:
            member.actor.stop.remote()

    def close(self) -> None:
        """Ends all workers; what they trained since their last checkpoint is lost."""
        with suppress(RayError):
            self._ask_for(0)
        for member in list(self.members):
            self.dismiss(member)

    def _ask_for(self, workers: int) -> None:
        """Tells Ray's autoscaler for how many workers there is work; a cluster without one takes no notice.

        A worker is started only where there is room, and so is no demand that an autoscaler sees by itself.
        """
        count = min(workers, self.options.workers or workers, _MOST_ASKED)
        if self.options.address and count != self._asked:
            gpus = {"GPU": self._gpus} if self._gpus else {}
            request_resources(bundles=[{"CPU": self.options.cpus_per_run, **gpus}] * count)
            self._asked = count

    def _wait_for_room(self) -> int:
        """Returns 0 while a machine may still come; raises `UserError` after that."""
        now = time.monotonic()
        self._without_room = now if self._without_room is None else self._without_room
        if now - self._without_room < 60 * self.options.wait_minutes:
            return 0
        waited = f" after ray.wait_minutes={self.options.wait_minutes:g}" if self.options.wait_minutes else ""
        raise UserError(f"ray.cpus_per_run={self.options.cpus_per_run} ray.gpus_per_run={self._gpus:g}: no machine of "
                        f"the cluster has so much{waited}")  # fmt: skip

    def _room(self, resources: Mapping[str, float]) -> int:
        """Returns how many workers a machine with these resources has room for."""
        room = int(resources.get("CPU", 0) // self.options.cpus_per_run)
        if not self._gpus:
            return room
        gpus = resources.get("GPU", 0.0)
        each = int(gpus / self._gpus + _ENOUGH) if self._gpus > 1 else int(gpus) * int(1 / self._gpus + _ENOUGH)
        return min(room, each)


@contextmanager
def pool_of(options: RayOptions, device: str) -> Iterator[Pool]:
    """Context manager; connects to Ray, or starts one on this machine, and ends its workers.

    device: that of the run, cpu or cuda. Raises `UserError` if there is no such cluster.
    """
    gpus = options.gpus_per_run if options.gpus_per_run is not None else float(device == "cuda")
    if (device == "cuda") != (gpus > 0):
        raise UserError(f"ray.gpus_per_run={gpus:g}: does not fit device={device}")
    began = not ray.is_initialized()
    if began:
        _connect(options)
    pool = Pool(options, gpus)
    try:
        yield pool
    finally:
        pool.close()
        if began:
            ray.shutdown()


def _connect(options: RayOptions) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}
    try:
        if options.address:
            ray.init(address=options.address, **quiet)
        else:
            ray.init(address="local", include_dashboard=False, object_store_memory=_OBJECT_STORE, **quiet)
    except Exception as error:  # Ray raises plain ones too, e.g. where a busy machine takes long to start it
        raise UserError(f"engine=ray ray.address={options.address}: {_first_line(error)}") from None
    for number, handler in handlers.items():  # Ray sets its own, which would end the run without a checkpoint
        with suppress(ValueError, TypeError):  # in another thread than the main one; not one of Python's
            signal.signal(number, handler)


def _methods() -> type[Worker]:
    """Returns the worker with its short methods in a thread of their own, so that they answer while it works."""

    class RayWorker(Worker):
        epochs = ray.method(concurrency_group="control")(Worker.epochs)
        stop = ray.method(concurrency_group="control")(Worker.stop)

    return RayWorker


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
