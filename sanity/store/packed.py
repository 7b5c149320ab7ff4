"""Reads records.jsonl, the records without weights that `pack` wrote for a results directory."""

import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from sanity.errors import UserError
from sanity.store.validity import problem

log = logging.getLogger(__name__)

PACKED = "records.jsonl"
ORIGIN = "packed"


def unpacked(root: Path) -> dict[str, dict[str, Any]]:
    """Returns the rows of `root`'s records.jsonl by cell; a row whose accuracy contradicts its curve is `unreadable`.

    Raises `UserError` for an incomplete file, since only the user, who copied or merged it, can repair it.
    """
    path = root / PACKED
    try:
        state = path.stat()
    except OSError:
        return {}
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, _size: int) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    for number, line in enumerate(lines, 1):
        row = _parse(path, number, line)
        name = str(row["cell"])
        if rows.setdefault(name, row) != row:
            raise UserError(f"{path}: line {number} is a second record of the cell {name}")
    return rows


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
        _ = row["cell"], row["status"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path}: line {number} is no record") from None
    row["origin"] = ORIGIN
    if fault := problem(row):
        log.warning("%s: line %d is not used: %s", path, number, fault)
        row |= {"status": "unreadable", "reason": f"{path.name}, line {number}: {fault}"}
    return dict(row)
