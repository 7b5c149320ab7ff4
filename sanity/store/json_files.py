"""Reads and writes JSON files with a checksum over their content and their place in the results directory."""

import errno
import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanity.errors import CannotRead
from sanity.store.files import write_atomically
from sanity.store.identity import plain

CHECKSUM = "checksum"
NEVER_READABLE = {errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENODEV, errno.ENXIO}


class DamagedFileError(ValueError):
    """The file at a path is not what was written there; it counts as absent and its result is computed again."""


def write(path: Path, content: Mapping[str, Any], place: str) -> None:
    """Writes `content` to `path` with a checksum over `content` and `place`. Raises `CannotWrite`.

    place: the file's path in the results directory; a file that is moved to another place fails the checksum.
    """
    entries = json.loads(json.dumps(plain(content), allow_nan=False, default=str))
    entries[CHECKSUM] = _checksum(entries, place)
    write_atomically(path, json.dumps(entries, indent=1, allow_nan=False))


def read(path: Path, place: str) -> dict[str, Any]:
    """Reads what `write` wrote. Files of earlier versions have no checksum and are read unchecked.

    Raises `FileNotFoundError`, `DamagedFileError` for a damaged file, and `CannotRead` for a file that may be undamaged
    but cannot be read now.
    """
    try:
        entries = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, DamagedFileError) else DamagedFileError("is no JSON") from None
    if not isinstance(entries, dict):
        raise DamagedFileError("is no JSON object")
    if entries.pop(CHECKSUM, None) not in (None, _checksum(entries, place)):
        raise DamagedFileError("does not match its checksum")
    return entries


def read_bytes(path: Path) -> bytes:
    """Returns the content of a regular file. Raises the same errors as `read`."""
    try:
        require_file(path)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        if error.errno in NEVER_READABLE:
            raise DamagedFileError(f"cannot be read ({error.strerror})") from None
        raise CannotRead(f"{path}: {error.strerror or error}") from error


def require_file(path: Path) -> None:
    """Raises `DamagedFileError` for a folder, a device or a pipe, since reading a pipe may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedFileError("is no file")


def _checksum(entries: Mapping[str, Any], place: str) -> str:
    rest = {name: value for name, value in entries.items() if name != CHECKSUM}
    text = f"{place}\0{json.dumps(rest, sort_keys=True)}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
