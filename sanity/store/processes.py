"""Names the process that wrote a file, checks whether it still runs, and tells how long this one waited for a core."""

import hashlib
import os
import re
import socket
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_SCHEDULED = "/proc/self/schedstat"  # of the main thread: ns on a core, ns ready without one, turns
_NAME = re.compile(r"(?P<host>[\w-]+)\.(?P<machine>[0-9a-f]{8})\.(?P<pid>\d+)\.(?P<started>\d+)")


@dataclass(frozen=True)
class Process:
    """Identifies a process on this or another machine.

    host: the machine's name. machine: a hash of its name, boot and PID namespace; the PID can be looked up only if the
        hash is that of this process. started: the start time in clock ticks since boot, since PIDs are reused; 0 if the
        system does not report it.
    """

    host: str
    machine: str
    pid: int
    started: int

    @property
    def name(self) -> str:
        """The process in the form of file names; `parse` reads it."""
        return f"{self.host}.{self.machine}.{self.pid}.{self.started}"

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def is_running(self) -> bool | None:
        """Whether the process runs; None if unknown: it belongs to another machine, or a signal has stopped it."""
        if self.machine != current().machine:
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it runs as another user
        state, started = _status(self.pid)
        if state in ("Z", "X") or started != self.started:
            return False
        return None if state in ("T", "t") else True


def parse(text: str) -> Process | None:
    """Reads the process from the file name `text`; None if it names none."""
    match = _NAME.search(text)
    return match and Process(match["host"], match["machine"], int(match["pid"]), int(match["started"]))


def current() -> Process:
    """Returns this process."""
    return _describe(os.getpid())


@lru_cache(maxsize=1)
def _describe(pid: int) -> Process:
    host = socket.gethostname()
    namespace = os.readlink("/proc/self/ns/pid") if os.path.exists("/proc/self/ns/pid") else ""
    machine = hashlib.sha256("\0".join([host, _read("/proc/sys/kernel/random/boot_id"), namespace]).encode())
    readable = re.sub(r"[^\w-]", "-", host, flags=re.ASCII)[:40] or "host"
    return Process(readable, machine.hexdigest()[:8], pid, _status(pid)[1])


def _status(pid: int) -> tuple[str, int]:
    """Returns state (`R`, `S`, `T`, `Z`, ...) and start time of a process on Linux; empty and 0 elsewhere."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], int(fields[19])) if len(fields) > 19 else ("", 0)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def file_system_time(folder: Path) -> float:
    """Returns the time of the clock that stamps files in `folder`: on a network file system, the server's clock."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_mtime


def without_a_core() -> float | None:
    """Returns for how many seconds the main thread was ready and did not run; None where the system does not tell."""
    fields = _read(_SCHEDULED).split()
    return int(fields[1]) / 1e9 if len(fields) > 1 and fields[1].isdecimal() else None
