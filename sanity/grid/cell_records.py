"""Writes and reads the records of cells."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any

from sanity.grid import keys, stored
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.grid.progress import Reporter
from sanity.grid.record import place
from sanity.store.records import traceback_of

log = logging.getLogger("sanity")
FAILED = "failed"


def has_ended(cell: Cell, experiment: Experiment) -> bool:
    """Whether the training of a cell ended or diverged, and its record is stored."""
    return stored.has_ended(experiment, keys.cell(cell, experiment))


def row(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns the record of a cell joined with that of its training, with the labels of this run."""
    joined = stored.row(experiment, keys.cell(cell, experiment))
    assert joined is not None  # written by this run or already stored
    return {**joined, **place(cell, experiment)}  # another run's record gets this run's labels


def write(cell: Cell, content: Mapping[str, Any], experiment: Experiment) -> None:
    """Writes the record of a cell, and removes what an earlier attempt that failed left. Raises `CannotWrite`."""
    store, key = experiment.store, keys.cell(cell, experiment)
    store.write(store.root / "cells" / f"{key}.json", content)
    traceback_of(store.root, key).unlink(missing_ok=True)


def reason_of(error: BaseException) -> str:
    """Returns a line that says why a task failed."""
    message = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error)
    return f"{type(error).__name__}: {message}".splitlines()[0]


def trace_of(error: BaseException) -> str:
    """Returns the traceback of an error as text."""
    return "".join(traceback.format_exception(error))


def fail(cell: Cell, reason: str, trace: str, experiment: Experiment, reporter: Reporter) -> None:
    """Records a cell as failed; the grid goes on, since one method's defect must not end a grid of hours."""
    write(cell, {**place(cell, experiment), "status": FAILED, "reason": reason}, experiment)
    path = traceback_of(experiment.store.root, keys.cell(cell, experiment))
    experiment.store.write_text(path, f"{cell.title}\n{trace}")
    reporter.failed(f"{cell.title} failed: {reason}; traceback in {path}")
    log.debug("%s", trace)
