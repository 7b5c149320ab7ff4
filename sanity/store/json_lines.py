"""Reads files of one JSON object a line, to which a results directory adds what happens in it."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sanity.errors import CannotRead

log = logging.getLogger(__name__)

T = TypeVar("T")


def read(path: Path, parse: Callable[[Any], T], kind: str) -> list[tuple[str, T]]:
    """Returns each line of `path` with what `parse` makes of its content; nothing where there is no file.

    A line that is damaged, or of which `parse` cannot make a `kind`, is left out, and said. Raises `CannotRead`.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CannotRead(f"{path}: {error.strerror or error}") from error
    parsed = []
    for number, line in enumerate(lines, 1):
        try:
            parsed.append((line, parse(json.loads(line))))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            log.warning("%s: line %d is no %s and is not used", path, number, kind)
    return parsed
