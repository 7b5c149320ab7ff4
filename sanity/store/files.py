"""Writes files atomically: to a temporary file beside the target, flushed, then renamed over the target."""

import logging
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sanity.errors import CannotWrite
from sanity.store.processes import current, file_system_time, parse

log = logging.getLogger(__name__)

_HALF = ".half"
_OLD_NAME = re.compile(r"\.[a-z0-9_]{8}\.half$")  # temporary files of earlier versions, whose names lack the process
_ABANDONED_AFTER_S = 600.0  # a live process writes more often than this


def write_atomically(path: Path, data: bytes | str) -> None:
    """Writes `data` to `path`, creating its folder. After a crash or on a full disk `path` is unchanged.

    Undecodable bytes of file names are written as escapes. Raises `CannotWrite` if the system refuses.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data.encode(errors="backslashreplace") if isinstance(data, str) else data)


def write_where_asked(path: Path, text: str) -> None:
    """Writes `text` to a path that a user named: a link stays and its file is replaced, a device or pipe is written to.

    Raises `CannotWrite` if the system refuses.
    """
    if not _is_device(path):
        write_atomically(path.resolve() if path.is_symlink() else path, text)
        return
    try:
        path.write_text(text, errors="backslashreplace")
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from error


def append_line(path: Path, line: str) -> None:
    """Adds a line to `path` in one write, so that processes that share the file mix no lines. Raises `CannotWrite`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, f"{line}\n".encode(errors="backslashreplace"))
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary file beside `path` and renames it over `path` on exit. Raises `CannotWrite`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f".{path.name[:40]}.{current().name}.{secrets.token_hex(4)}{_HALF}")
        os.close(os.open(half, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
        try:
            yield half
            _flush(half, os.O_RDWR)
            os.replace(half, path)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        with suppress(OSError):  # some file systems cannot flush a folder
            _flush(path.parent, os.O_RDONLY)
    except CannotWrite:
        raise
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from error


def _is_device(path: Path) -> bool:
    """Returns whether `path` is there and neither a regular file nor a folder, such as /dev/stdout or a named pipe."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def sweep(folder: Path) -> None:
    """Removes temporary files of killed processes below `folder`; keeps those that a live process may be writing."""
    now: float | None = None
    for half in folder.rglob(f".*{_HALF}"):
        process = parse(half.name)
        if process is None and not _OLD_NAME.search(half.name):
            continue  # not written by us
        running = process and process.is_running()
        with suppress(OSError):  # a file that cannot be removed only takes space
            if running is None:
                now = file_system_time(folder) if now is None else now
                running = now - half.stat().st_mtime < _ABANDONED_AFTER_S
            if not running:
                half.unlink()


def set_aside(path: Path) -> Path:
    """Renames a damaged file to NAME.damaged-N, so that its result can be computed again.

    Returns the new path. Raises `CannotWrite`.
    """
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from error
    log.warning("%s is damaged; moved to %s", path, aside.name)
    return aside


def _flush(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
