"""Files that are either whole or not there: written beside their place, flushed, then renamed into it."""

import os
import tempfile
from pathlib import Path


class CannotWrite(OSError):  # noqa: N818 (said to the user as it is)
    """A results file could not be written, e.g. because the disk is full. Ends the run; what was there stays."""


def write_atomically(path: Path, data: bytes | str) -> None:
    """Puts `data` at `path`, creating its folder. After a crash or on a full disk `path` is what it was before.

    Raises `CannotWrite` where the system does not let it.
    """
    try:
        _write(path, data.encode() if isinstance(data, str) else data)
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide results from colleagues and reports from a web server
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
