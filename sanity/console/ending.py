"""Ends a command line: a mistake or a full disk is one line and an exit code."""

from collections.abc import Callable

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
