"""Prints legibly in every encoding, and reports in one line that standard output is full or closed."""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PLAIN = {
    "−": "-", "–": "-", "—": "-", "±": "+-", "≈": "~", "≠": "!=", "≤": "<=", "≥": ">=", "·": "-", "×": "x", "→": "->",  # noqa: RUF001
    "…": "...", "’": "'", "“": '"', "”": '"', "─": "-", "│": "|",  # noqa: RUF001
}  # fmt: skip


class CannotPrint(OSError):  # noqa: N818 (said to the user as it is)
    """Standard output cannot be written, e.g. because it is redirected to a full disk."""


def use_readable_output() -> None:
    """Makes the standard streams replace characters that their encoding lacks instead of raising an error."""
    codecs.register_error("readable", _readable)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="readable")


def _readable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    replaced = (_PLAIN.get(char, char.encode("ascii", "backslashreplace").decode()) for char in characters)
    return "".join(replaced), error.end


@contextmanager
def printing() -> Iterator[None]:
    """Context manager for code that only prints. Raises `CannotPrint`."""
    try:
        yield
        sys.stdout.flush()
    except SystemExit:  # as rich ends the process where the reader has closed the pipe
        raise CannotPrint("standard output: Broken pipe") from None
    except OSError as error:
        with suppress(OSError, ValueError):  # else Python reports the same error again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CannotPrint(f"standard output: {error.strerror or error}") from None
