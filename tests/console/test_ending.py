"""A command line that leaves has run its exit handlers and written all that it printed."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("code", [0, 2])
def test_leaving_waits_for_threads_runs_exit_handlers_and_writes_what_was_printed(code: int) -> None:
    script = (
        "import atexit, sys, threading; from sanity.console.ending import leave\n"
        "atexit.register(lambda: print('handled'))\n"
        "threading.Timer(0.3, print, ['sent']).start()\n"
        f"print('said'); print('warned', file=sys.stderr); leave({code}); print('never')"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "said\nsent\nhandled\n", "warned\n")


def test_a_reader_that_has_gone_is_no_error() -> None:
    script = "from sanity.console.ending import leave; print('x' * 100000, end=''); leave(0)"
    ended = subprocess.run(f'{sys.executable} -c "{script}" | head -c 1', shell=True, capture_output=True, text=True)
    assert ended.stderr == ""
