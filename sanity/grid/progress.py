"""Shows the progress of a run: a bar on a terminal, lines in a log file or a pipe."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sanity.errors import UserError, complain

log = logging.getLogger("sanity")
_EVERY_S = 30.0


class Reporter:
    """Counts finished epochs against the total of the grid. `bar` is None if the output is not a terminal."""

    def __init__(self, epochs: int, bar: Progress | None, task: TaskID | None) -> None:
        self.total, self.done = epochs, 0
        self._bar, self._task = bar, task
        self._beside = ""
        self._began = self._spoke = time.monotonic()

    def beside(self, text: str) -> None:
        """Shows a text beside all that follows, such as how many comparisons are open; logs it where it is new."""
        if text != self._beside:
            log.info("%s", text)
        self._beside = text

    def expect(self, epochs: int) -> None:
        """Adds to the expected number of epochs; negative where results were already stored."""
        self.total += epochs
        self._show(None)

    def now(self, text: str) -> None:
        """Shows what runs at the moment."""
        self._show(text)

    def waits(self, text: str) -> None:
        """Shows and logs that this run waits for another."""
        self._show(text)
        log.info("%s", text)

    def epoch(self, title: str, row: dict[str, Any], of: int) -> None:
        """Counts an ended epoch of the training `title`, which has `of` epochs."""
        self.done += 1
        text = f"{title}: epoch {row['epoch']} of {of}, test {row['test_accuracy']:.2f} %"
        self._show(text)
        if time.monotonic() - self._spoke > _EVERY_S:
            self._spoke = time.monotonic()
            log.info("%s; %s", text, self._left())

    def finished(self, text: str) -> None:
        """Logs that a training has ended."""
        self._spoke = time.monotonic()
        log.info("%s; %s", text, self._left())

    def _left(self) -> str:
        if not self.done:
            return f"{self.total} epochs to go"
        rest = (time.monotonic() - self._began) / self.done * max(self.total - self.done, 0)
        left = f"{self.done} of {self.total} epochs, about {rest / 60:.1f} min left"
        return f"{left} in this round; {self._beside}" if self._beside else left

    def _show(self, text: str | None) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, total=max(self.total, 1))
            if text is not None:
                self._bar.update(self._task, now=f"{self._beside}; {text}" if self._beside else text)


class _LogFile(logging.FileHandler):
    """Writes the file of `log=`. If that fails, e.g. on a full disk, it warns once and the run goes on."""

    def __init__(self, path: str) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._path, self._failed = path, False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Called by `logging` while it handles the exception."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failed:
            self._failed = True
            complain(f"warning: log={self._path}: cannot be written ({error.strerror or error}); the run goes on")

    def close(self) -> None:
        with suppress(OSError):  # flushes what could not be written; `handleError` has warned already
            super().close()


@contextmanager
def reporter(epochs: int, log_file: str) -> Iterator[Reporter]:
    """Opens a reporter for a grid of `epochs` epochs. Raises `UserError` if the log file cannot be written."""
    handlers: list[logging.Handler] = []
    if log_file:
        try:
            Path(log_file).parent.mkdir(parents=True, exist_ok=True)
            handlers.append(_LogFile(log_file))
            handlers[0].setLevel(logging.DEBUG)  # the file also gets the traceback of a method that fails
        except OSError as error:
            raise UserError(f"log={log_file}: cannot be written ({error.strerror or error})") from None
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        handlers.append(logging.StreamHandler(sys.stderr))
        handlers[-1].setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
    level, log.propagate = log.level, False
    log.setLevel(logging.DEBUG)
    try:
        if console.is_terminal:
            columns = (
                BarColumn(30),
                TextColumn("{task.completed}/{task.total} epochs"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[now]}", markup=False),
            )
            with Progress(*columns, console=console, transient=True) as bar:
                yield Reporter(epochs, bar, bar.add_task("", total=max(epochs, 1), now=""))
        else:
            yield Reporter(epochs, None, None)
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()
        log.setLevel(level)
        log.propagate = True
