"""Files that are either whole or not there: written beside their place, flushed, then renamed into it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_HALF = ".half"


class CannotWrite(OSError):  # noqa: N818 (said to the user as it is)
    """A results file could not be written, e.g. because the disk is full. Ends the run; what was there stays."""


def write_atomically(path: Path, data: bytes | str) -> None:
    """Puts `data` at `path`, creating its folder. After a crash or on a full disk `path` is what it was before.

    Raises `CannotWrite` where the system does not let it.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to be written; what it holds at the end takes the place of `path`. Raises `CannotWrite`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_HALF)
        os.close(handle)
        try:
            yield Path(name)
            _flush(Path(name), os.O_RDWR)
            os.chmod(name, 0o644)  # mkstemp's 0600 would hide results from colleagues and reports from a web server
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        with suppress(OSError):  # some file systems cannot flush a folder
            _flush(path.parent, os.O_RDONLY)
    except CannotWrite:
        raise
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from error


def sweep(folder: Path) -> None:
    """Removes what killed processes left half-written below `folder`, where no other process may be writing."""
    for left in folder.rglob(f".*{_HALF}"):
        with suppress(OSError):  # it only takes room
            left.unlink()


def _flush(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
