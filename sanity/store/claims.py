"""Records which process works on which result, so that several processes can share one results directory.

    RESULTS/claims/KIND-KEY/OWNER   an empty file; its name holds the process, its modification time the last heartbeat

Only `rename` must be atomic, which holds on network file systems too; no `flock` is needed. A folder that holds its
file is renamed into place, which fails if another claim is there. To take over a dead claim a process renames its
file: one process succeeds, the others no longer find the file.
"""

import errno
import logging
import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from sanity.errors import CannotWrite
from sanity.store.files import set_aside
from sanity.store.processes import Process, current, file_system_time, parse

log = logging.getLogger(__name__)

HEARTBEAT_S = 10.0
DEAD_AFTER_S = 60.0
_ATTEMPTS = 100  # each fails only where another process took or released the same claim at that moment


class Claim:
    """Holds the right to work on one result until `release`; as a context manager it releases on exit.

    lost: whether another process took the claim over after a minute without a heartbeat, e.g. while this process was
        stopped. Updated at each heartbeat; `is_held` looks at once.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._owner = path, os.getpid()
        self.lost = False
        _heart.add(self)

    def is_held(self) -> bool:
        """Checks on disk whether this process still holds the claim; also sends a heartbeat."""
        self.beat()
        return not self.lost

    def beat(self) -> None:
        """Sends a heartbeat: sets the modification time of the claim's file to now."""
        try:
            os.utime(self._path)
        except FileNotFoundError:
            self.lost = True
        except OSError as error:  # e.g. a file server that does not answer; the next heartbeat may succeed
            log.debug("%s: no heartbeat (%s)", self._path, error)

    def release(self) -> None:
        """Releases the claim, unless another process has taken it over or the parent of a forked process holds it."""
        if self._owner != os.getpid():
            return
        _heart.remove(self)
        with suppress(OSError):
            self._path.unlink()
            self._path.parent.rmdir()

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Claims:
    """Takes and lists claims on the results of one directory.

    root: the results directory; created if it is missing.
    """

    def __init__(self, root: Path | str) -> None:
        self.folder = Path(root) / "claims"

    def take(self, kind: str, key: str) -> Claim | None:
        """Claims the result `key` of `kind`; returns None if a live process, this one included, holds the claim.

        A claim of a process that has ended, or whose heartbeat has stopped, is taken over. Raises `CannotWrite`.
        """
        place = self._place(kind, key)
        mine = f"{current().name}.{secrets.token_hex(4)}"
        try:
            for _ in range(_ATTEMPTS):
                owner = _owner(place)
                if owner is None:
                    succeeded = self._create(place, mine)
                elif self._is_dead(place / owner):
                    succeeded = _take_over(place, owner, mine)
                else:
                    return None
                if succeeded:
                    return Claim(place / mine)
        except OSError as error:
            raise CannotWrite(f"{self.folder}: {error.strerror or error}") from error
        return None

    def holder(self, kind: str, key: str) -> Process | None:
        """Returns the live process that holds the claim, e.g. for messages; None if the claim is free.

        Raises `CannotWrite` if the claims cannot be read.
        """
        place = self._place(kind, key)
        try:
            owner = _owner(place)
            return None if owner is None or self._is_dead(place / owner) else parse(owner)
        except OSError as error:
            raise CannotWrite(f"{self.folder}: {error.strerror or error}") from error

    def held(self) -> dict[str, Process]:
        """Returns the live process that holds each claim, by the claim's name KIND-KEY. Raises `CannotWrite`."""
        try:
            names = os.listdir(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        holders = {name: self.holder(*name.split("-", 1)) for name in sorted(names) if "-" in name and name[0] != "."}
        return {name: process for name, process in holders.items() if process is not None}

    def sweep(self) -> None:
        """Removes unfinished claims of processes that were killed while they made them."""
        for prepared in self.folder.glob(".*"):
            if parse(prepared.name) and self._is_dead(prepared):
                _discard(prepared)

    def _place(self, kind: str, key: str) -> Path:
        return self.folder / f"{kind}-{key}"

    def _create(self, place: Path, mine: str) -> bool:
        """Creates a claim; returns False if another process was faster."""
        prepared = self.folder / f".{mine}"
        try:
            prepared.mkdir(parents=True)
            (prepared / mine).touch()
            prepared.rename(place)  # succeeds only if `place` is missing or an empty folder
        except OSError as error:
            if (place / mine).exists():  # a network file system may report a repeated request as failed
                return True
            _discard(prepared)
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and place.is_dir():
                _clear(place)
                return False
            wrong = [path for path in (self.folder, place) if os.path.lexists(path) and not path.is_dir()]
            if not wrong:
                raise
            for path in wrong:
                set_aside(path)
            return False
        return True

    def _is_dead(self, claim: Path) -> bool:
        """Whether the owner of a claim has ended: by its process on this machine, by its heartbeat on another."""
        owner = parse(claim.name)
        running = owner and owner.is_running()
        if running is not None:
            return not running
        try:
            return file_system_time(self.folder) - claim.stat().st_mtime > DEAD_AFTER_S
        except FileNotFoundError:
            return True  # just released or taken over; the next attempt sees the new owner


def _owner(place: Path) -> str | None:
    """Returns the file name of the claim at `place`; None if there is none."""
    try:
        names = [name for name in os.listdir(place) if parse(name)]
    except (FileNotFoundError, NotADirectoryError):
        return None
    return min(names, default=None)


def _take_over(place: Path, dead: str, mine: str) -> bool:
    """Takes over a dead claim; returns False if another process was faster."""
    try:
        os.utime(place / dead)  # before the rename, so that our claim has a fresh heartbeat from the start
        os.rename(place / dead, place / mine)
    except FileNotFoundError:
        return (place / mine).exists()
    log.info("%s: taken over from %s, which has ended", place.name, parse(dead))
    return True


def _clear(place: Path) -> None:
    """Removes an abandoned folder and files in it that are not claims; keeps a folder that holds a claim."""
    with suppress(OSError):
        for name in os.listdir(place):
            if not parse(name):
                (place / name).unlink()
        place.rmdir()


def _discard(prepared: Path) -> None:
    with suppress(OSError):
        for path in prepared.glob("*"):
            path.unlink()
        prepared.rmdir()


class _Heart:
    """Sends the heartbeats of all claims of this process from one thread, which ends when no claim is held."""

    def __init__(self) -> None:
        self._claims: set[Claim] = set()
        self._guard, self._wake = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, claim: Claim) -> None:
        with self._guard:
            self._claims.add(claim)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="heartbeat of claims", daemon=True)
                self._thread.start()

    def remove(self, claim: Claim) -> None:
        with self._guard:
            self._claims.discard(claim)
            if not self._claims:
                self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait(HEARTBEAT_S)
            with self._guard:
                self._wake.clear()
                if not self._claims:
                    self._thread = None
                    return
                held = list(self._claims)
            for claim in held:
                claim.beat()


def _forget() -> None:
    """Resets the heartbeats in a forked child, which holds no claim of its parent and has no heartbeat thread."""
    global _heart
    _heart = _Heart()


_heart = _Heart()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
