"""Finds the file of a seed and ratio: a file, a folder, or a pattern with {seed} and {ratio}."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sanity.config.options import expanded
from sanity.errors import UserError
from sanity.masks.files.formats import SUFFIXES

_FIELD = re.compile(r"\{(\w*)\}")


def fill_in(pattern: str, key: str, *, seed: int | None = None, ratio: float | None = None) -> str:
    """Puts seed and ratio (0.95, as `ratio=` has it) into a pattern; what is None stays as it is.

    Raises `UserError` naming `key` for a field that is neither.
    """
    fields = {"seed": None if seed is None else str(seed), "ratio": None if ratio is None else f"{ratio:g}"}

    def value(field: re.Match[str]) -> str:
        if field[1] not in fields:
            raise UserError(f"{_given(key, pattern)}: {field[0]} is no field of a path; allowed: {{seed}}, {{ratio}}")
        return fields[field[1]] or field[0]

    return _FIELD.sub(value, pattern)


def find(text: str, key: str, *, seed: int | None = None) -> Path:
    """Finds the file that a path without fields means.

    Args:
        text: a file, or a folder: its `mask.*`, else its only file of tensors, else the one with `seed0` in its name.
        key: for messages.
        seed: of the ticket, where there is one.

    Raises:
        UserError: where there is no such file, or the folder does not tell which.
    """
    if not text:
        raise UserError(f"{_given(key, '')}: give a file, a folder, or a pattern with {{seed}} and {{ratio}}")
    path = expanded(text, key)
    if path.is_file():
        return path
    if (left := _FIELD.search(text)) and not path.is_dir():
        raise UserError(f"{_given(key, text)}: there is no value here for {left[0]}")
    if not path.is_dir():
        raise UserError(f"{_given(key, text)}: there is no such file")
    files = sorted(entry for entry in path.iterdir() if entry.suffix in SUFFIXES and entry.is_file())
    masks = [file for file in files if file.stem in ("mask", "masks")]
    of_seed = [file for file in files if re.search(rf"seed[ _=-]?{seed}(?!\d)", file.stem)]
    for candidates in (masks, files, of_seed):
        if len(candidates) == 1:
            return candidates[0]
    if not files:
        raise UserError(f"{_given(key, text)}: the folder has no file that ends in {', '.join(SUFFIXES)}")
    names = ", ".join(file.name for file in files[:4]) + ", ..." * (len(files) > 4)
    given = _given(key, text)
    raise UserError(f"{given}: the folder has {len(files)} files ({names}); name one, or a pattern with {{seed}}")


@contextmanager
def naming(key: str, path: Path) -> Iterator[None]:
    """Context manager; a `UserError` that is raised inside, about the file, names the key and the file."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{_given(key, str(path))}: {str(error).removeprefix(f'{path}: ')}") from None


def _given(key: str, value: str) -> str:
    """As the user wrote it."""
    return f"{key}{value}" if key.endswith(":") else f"{key}={value}"
