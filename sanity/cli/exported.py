"""Writes the tickets that a run has found to files, for other code bases."""

import re
from collections.abc import Callable
from pathlib import Path

from sanity.config import AUTO, RunConfig
from sanity.errors import UserError, unknown
from sanity.grid.cells import DENSE, Cell
from sanity.grid.preparation import prepare
from sanity.grid.rounds import Judge, Rounds
from sanity.grid.task import TicketTraining
from sanity.grid.tasks import tasks
from sanity.masks.files.writing import WRITERS, write

AskOf = Callable[[RunConfig], Judge]


def export(config: RunConfig, folder: Path, judge: AskOf, form: str = "safetensors") -> list[Path]:
    """Writes the tickets of a run.

    Args:
        config: the run, which has found its tickets.
        folder: made where it is not there.
        judge: gives what decides, for a run with `seeds=auto`, which comparisons are open; it tells which seeds ran.
        form: safetensors, torch or npz.

    Returns:
        The files, one a cell.

    Raises:
        UserError: if a ticket has not been found yet, and for an unknown form.
    """
    if form not in WRITERS:
        raise unknown("format", form, WRITERS)
    experiment, cells = prepare(config)
    if config.seeds == AUTO:
        cells = _cells_so_far(config, judge(config)) or cells
    sources = {}
    for cell in cells:
        training = tasks(cell, experiment)[1]
        if cell.method.name == DENSE or not isinstance(training, TicketTraining):
            continue
        if not training.can_start(experiment):
            raise UserError(f"{cell.title}: has not been found in results_dir={config.results_dir}; run it first")
        check = "" if cell.check.is_control else f"+{cell.check.label}"
        name = f"{cell.method.label}{check}_{cell.ratio:g}_seed{cell.seed}"
        sources[folder / f"{re.sub(r'[^A-Za-z0-9@=+._-]', '-', name)}{WRITERS[form][0]}"] = training.source
    if not sources:
        raise UserError("methods: none of them has a mask to export")
    for path, source in sources.items():
        write(source.load(experiment), path, form)
    return list(sources)


def _cells_so_far(config: RunConfig, judge: Judge) -> list[Cell]:
    """Returns the cells that a run with `seeds=auto` has come to."""
    rounds = Rounds([config], judge)
    rounds.replay()
    return [cell for _, cell in rounds.rows]
