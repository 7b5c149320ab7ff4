"""Ends a command line: a mistake or a full disk is one line and an exit code."""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from sanity.console.output import CannotPrint, use_readable_output
from sanity.errors import DiskError, UserError, complain

MISTAKE, FAILED = 2, 1


def exit_code(command: Callable[[], int]) -> int:
    """Runs a command and returns its exit code; 2, with one line, for a mistake, 1 where files or output fail."""
    use_readable_output()
    try:
        return command()
    except UserError as error:
        complain(f"error: {error}")
        return MISTAKE
    except (DiskError, CannotPrint) as error:
        complain(f"error: {error}")
        return FAILED


def leave(code: int) -> NoReturn:
    """Ends the process with this exit code once its threads and exit handlers have run, and frees nothing.

    Python's own end takes half a second where torch was imported, and the destructors of its libraries load 128 MB.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons, as Python's end does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed by the reader; what was said of that was said
            stream.flush()
    os._exit(code)
