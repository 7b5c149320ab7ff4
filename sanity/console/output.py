"""Standard output of the commands: legible in every encoding; where it is full or closed, one line says so."""

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
    """Nothing can be written to standard output, e.g. because the disk that it is redirected to is full."""


def use_readable_output() -> None:
    """Lets the standard streams replace what their encoding lacks, instead of raising after hours of training."""
    codecs.register_error("readable", _readable)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="readable")


def _readable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one, one.encode("ascii", "backslashreplace").decode()) for one in characters), error.end


@contextmanager
def printing() -> Iterator[None]:
    """Wraps code that does nothing but print. Raises `CannotPrint`."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError):  # else Python complains once more while it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CannotPrint(f"standard output: {error.strerror or error}") from None
