"""Runs in a child of the test's process, which has imported all that is needed; it never returns to the tests."""

import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

BROKEN = 70


def forked(run: Callable[[], int], trace: Path | None = None) -> int:
    """Forks; the child ends with what `run` returns, or with `BROKEN` where it raises. Returns the child's number.

    Were the child to return, it would go on with the tests of its parent, and report them a second time.
    trace: the file that gets the traceback.
    """
    child = os.fork()
    if child:
        return child
    status = BROKEN
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Ray, once used in a process, leaves a handler that raises
        status = run()
    except BaseException:  # a stop, too
        if trace is not None:
            trace.write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        os._exit(status)


def silent(run: Callable[[], int]) -> Callable[[], int]:
    """Returns `run` without its output."""

    def ran() -> int:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        return run()

    return ran
