"""Measures free memory, so that data that do not fit are refused in one line before they are read."""

import os
from pathlib import Path

from sanity.errors import UserError

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def available() -> int | None:
    """Returns the bytes that this process may still allocate (machine, container, own limit); None if unknown."""
    return min((free for free in (_of_the_machine(), _of_the_container(), _of_the_process()) if free), default=None)


def check_fits(needed: int, subject: str, advice: str) -> None:
    """Raises `UserError` with advice if `needed` bytes, for the data called `subject`, exceed the free memory."""
    free = available()
    if free is not None and needed > free:
        raise UserError(f"{subject}: {_gigabytes(needed)} of memory are needed, {_gigabytes(free)} are free; {advice}")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _of_the_machine() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def _of_the_container() -> int | None:
    """Returns the free memory of the control group (version 2); file pages that it can drop count as free."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        facts = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(int(limit) - used + int(facts.get("inactive_file", 0)), 1)


def _of_the_process() -> int | None:
    """Returns the address space that `ulimit -v` still allows."""
    try:
        import resource  # which Windows lacks

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return None
    return None if limit == resource.RLIM_INFINITY else max(limit - pages * os.sysconf("SC_PAGE_SIZE"), 1)
