"""Defines the errors that end a command with one line: mistakes of the user's, and files that fail."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import SequenceMatcher, get_close_matches
from itertools import accumulate, takewhile

_UNPRINTABLE = ("Cc", "Zl", "Zp")  # control characters, separators of lines and of paragraphs
_LISTED = 160  # columns of a list of names: two lines of a terminal


def one_line(text: str) -> str:
    """Escapes line breaks and control characters, which names of files may hold: ESC would reach the terminal."""
    return "".join(ascii(sign)[1:-1] if unicodedata.category(sign) in _UNPRINTABLE else sign for sign in text)


class UserError(ValueError):
    """A mistake that the user can mend. Its message is one line, printed without a traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class DiskError(OSError):
    """A results file could not be read or written. The run ends with one line; existing files stay."""


class CannotWrite(DiskError):  # noqa: N818 (said to the user as it is)
    """A results file could not be written, e.g. because the disk is full."""


class CannotRead(DiskError):  # noqa: N818
    """A results file, possibly undamaged, could not be read, e.g. because permission was denied."""


class Interrupted(Exception):  # noqa: N818 (not an error: asked for)
    """Raised where `stop` said so: every job with a directory has a checkpoint of the step that was taken last."""


def reason(error: BaseException) -> str:
    """Returns in one line what an error of somebody else's code says: its kind and its message's first line."""
    if isinstance(error, SystemExit):
        return f"it ends the program (sys.exit({error.code!r}))"
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def unknown(kind: str, value: object, allowed: Iterable[str]) -> UserError:
    """Makes the error for a `value` that is not among `allowed`, with the nearest name where one is near."""
    names = sorted(set(allowed))
    near = nearest(str(value), names)
    hint = f" Did you mean '{near}'?" if near else ""
    return UserError(f"unknown {kind} '{value}'.{hint} Allowed: {_listed(names)}")


def nearest(text: str, names: Iterable[str]) -> str:
    """Returns the name that is most like `text`, of equally like ones that which begins alike; empty if none is."""

    def likeness(name: str) -> tuple[float, int]:
        return SequenceMatcher(None, text, name).ratio(), _alike(text, name)

    return max(get_close_matches(text, names, n=9, cutoff=0.6), key=likeness, default="")


def _alike(text: str, name: str) -> int:
    """Counts the first letters that two words share."""
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(text, name, strict=False))])


def _listed(names: Sequence[str]) -> str:
    """Lists names as far as two lines hold them, and says how many more there are."""
    lengths = accumulate(len(name) + 2 for name in names)
    fitting = [name for name, length in zip(names, lengths, strict=True) if length <= _LISTED]
    further = f" and {len(names) - len(fitting)} more, see --help" if len(fitting) < len(names) else ""
    return (", ".join(fitting) or "there is none") + further


@contextmanager
def of_ones_own(what: str) -> Iterator[None]:
    """Turns whatever code of the user's raises inside into one line that begins with `what`; it may fail in any way."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise UserError(f"{what}: {type(error).__name__}{': ' * bool(reason)}{reason}") from error


def complain(text: str) -> None:
    """Prints a line to standard error, if that can be written."""
    with suppress(OSError):
        print(one_line(text), file=sys.stderr, flush=True)
