"""Shows the progress of a run: a bar on a terminal, lines in a log file or a pipe."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from sanity.console.durations import duration
from sanity.console.trackers import Tracking
from sanity.errors import UserError, complain

log = logging.getLogger("sanity")
_EVERY_S = 30.0


class Reporter:
    """Counts finished epochs against the total of the grid. `bar` is None if the output is not a terminal.

    total, done: epochs of the grid. trained: those that this process trained, whose pace tells the time left.
    failures: cells that failed. tracking: where the curves are sent, too.
    """

    def __init__(
        self, epochs: int, bar: Progress | None, task: TaskID | None, tracking: Tracking | None = None
    ) -> None:
        self.tracking = tracking or Tracking()
        self.total, self.done, self.trained, self.failures = epochs, 0, 0, 0
        self._cells = self._stored = 0
        self._bar, self._task = bar, task
        self._beside = ""
        self._began = self._spoke = time.monotonic()

    def beside(self, text: str) -> None:
        """Shows a text beside all that follows, such as how many comparisons are open; logs it where it is new."""
        if text != self._beside:
            log.info("%s", text)
        self._beside = text

    def expect(self, epochs: int) -> None:
        """Adds to the expected number of epochs."""
        self.total += epochs
        self._show(None)

    def resumed(self, epochs: int) -> None:
        """Counts the epochs of a training that an earlier run had done."""
        self.done += epochs
        self._show(None)

    def found(self, stored: int, cells: int) -> None:
        """Says how many cells are stored already, where some are and some are not."""
        self._stored, self._cells = self._stored + stored, self._cells + cells
        if 0 < stored < cells:
            self._say(f"{self._stored} of {self._cells} cells found")

    def failed(self, text: str) -> None:
        """Counts and says that a cell failed."""
        self.failures += 1
        self._say(text, logging.ERROR)
        self._show(None)

    def tell(self, text: str) -> None:
        """Says a line, which on a terminal stays."""
        self._say(text)

    def now(self, text: str) -> None:
        """Shows what runs at the moment."""
        self._show(text)

    @contextmanager
    def searching(self, title: str) -> Iterator[None]:
        """Shows that the ticket of a cell is searched for; of a long one, a line every half minute says how long."""
        self.now(f"{title}: searching")
        ended = threading.Event()
        teller = threading.Thread(
            target=self._tell_search, args=(title, ended), name="progress of a search", daemon=True
        )
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()

    def _tell_search(self, title: str, ended: threading.Event) -> None:
        began = time.monotonic()
        while not ended.wait(_EVERY_S):
            text = f"{title}: searching for {duration(time.monotonic() - began)}"
            self._show(text)
            log.info("%s; %s", text, self._left())

    def waits(self, text: str) -> None:
        """Shows and logs that this run waits for another."""
        self._show(text)
        log.info("%s", text)

    def epoch(self, title: str, row: dict[str, Any], of: int) -> None:
        """Counts an ended epoch of the training `title`, which has `of` epochs."""
        self.done, self.trained = self.done + 1, self.trained + 1
        self._stands(f"{title}: epoch {row['epoch']} of {of}, test {row['test_accuracy']:.2f} %")

    def searched(self, title: str, row: dict[str, Any], of: int) -> None:
        """Says how far a search that trains has come; its epochs are none of the grid's trainings."""
        self._stands(f"{title}: searching, epoch {row['epoch']} of {of}, test {row['test_accuracy']:.2f} %")

    def of_workers(self, text: str, done: int, trained: int) -> None:
        """Shows where all workers stand: `text`, the epochs that are done, and how many of these they trained."""
        self.done, self.trained = done, trained
        self._stands(text)

    def _stands(self, text: str) -> None:
        """Shows a text, and logs it if nothing was logged for a while."""
        self._show(text)
        if time.monotonic() - self._spoke > _EVERY_S:
            self._spoke = time.monotonic()
            log.info("%s; %s", text, self._left())

    def finished(self, text: str) -> None:
        """Logs that a training has ended."""
        self._spoke = time.monotonic()
        log.info("%s; %s", text, self._left())

    def left(self) -> str:
        """Returns the time that is left; empty before the first epoch."""
        if not self.trained:
            return ""
        rest = (time.monotonic() - self._began) / self.trained * max(self.total - self.done, 0)
        return f"{duration(rest)} left"

    def _left(self) -> str:
        failed = f", {self.failures} failed" if self.failures else ""
        if not self.trained:
            return f"{self.total} epochs to go{failed}"
        left = f"{self.done} of {self.total} epochs, about {self.left()}"
        return f"{left} in this round{failed}; {self._beside}" if self._beside else left + failed

    def _say(self, text: str, level: int = logging.INFO) -> None:
        """Logs a line, which on a terminal stands above the bar."""
        log.log(level, "%s", text)
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)

    def _show(self, text: str | None) -> None:
        if self._bar is not None and self._task is not None:
            failed = f"{self.failures} failed" if self.failures else ""
            self._bar.update(self._task, completed=self.done, total=max(self.total, 1), failed=failed)
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


class _Left(ProgressColumn):
    """Shows the time left, anew at each drawing."""

    max_refresh = 1.0

    def render(self, task: Task) -> Text:
        return Text(task.fields["left"]())


def _columns() -> tuple[ProgressColumn, ...]:
    """Returns what stands on the line of progress; what runs comes last and is cut where the terminal ends."""
    whole = Column(no_wrap=True)
    return (
        BarColumn(16, table_column=whole),
        TextColumn("{task.completed}/{task.total} epochs", table_column=whole),
        _Left(table_column=whole),
        TextColumn("{task.fields[failed]}", style="bold red", table_column=whole),
        TextColumn("{task.fields[now]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )


@contextmanager
def reporter(epochs: int, log_file: str, tracking: Tracking | None = None) -> Iterator[Reporter]:
    """Opens a reporter for a grid of `epochs` epochs, which sends curves to `tracking`, too.

    Raises `UserError` if the log file cannot be written.
    """
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
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
        log.addHandler(handler)
    level, log.propagate = log.level, False
    log.setLevel(logging.DEBUG)
    try:
        if console.is_terminal:
            with Progress(*_columns(), console=console, transient=True, expand=True) as bar:
                task = bar.add_task("", total=max(epochs, 1), now="", failed="", left=lambda: "")
                reports_to = Reporter(epochs, bar, task, tracking)
                bar.update(task, left=reports_to.left)
                yield reports_to
        else:
            yield Reporter(epochs, None, None, tracking)
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()
        log.setLevel(level)
        log.propagate = True
