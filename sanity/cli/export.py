"""Runs `python -m sanity.export to=FOLDER KEY=VALUE ...`: writes the tickets of a run to files that others can read.

The keys are those of `python -m sanity.run`; tickets that the run has found are written, and nothing is computed.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from sanity.cli.request import requested
from sanity.config import AUTO, RunConfig, pairs
from sanity.config.options import expanded
from sanity.console.ending import exit_code
from sanity.console.output import printing
from sanity.console.pages import print_page
from sanity.errors import UserError, unknown
from sanity.grid.cells import DENSE, Cell
from sanity.grid.preparation import prepare
from sanity.grid.rounds import Judge, Rounds
from sanity.grid.task import TicketTraining
from sanity.grid.tasks import tasks
from sanity.masks.files.writing import WRITERS, write

AskOf = Callable[[RunConfig], Judge]

_HELP = """\
python -m sanity.export to=FOLDER [format=safetensors] KEY=VALUE ...

Writes the tickets that a run has found, one file a ticket: METHOD_RATIO_seedSEED, with the check behind the method. The
keys are those of python -m sanity.run, which must have run. A file holds the weights to start from (weight_orig) and
the masks (weight_mask), as torch.nn.utils.prune names them; imported.masks= and init=file: read them again. A ticket
that does not start at the beginning of the schedule has a file NAME.json beside it, which says where.

  to=      folder, made where it is not there
  format=  safetensors, torch (a state dict, .pt) or npz"""


def main(words: Sequence[str], judge: AskOf) -> int:
    """Exports what the words name. Returns 2, with one line, for a mistake; 1 where files cannot be written.

    judge: as for `export`.
    """
    return exit_code(lambda: _run(words, judge))


def _run(words: Sequence[str], judge: AskOf) -> int:
    if any(word in ("-h", "--help", "help") for word in words):
        print_page(_HELP)
        return 0
    keys = pairs(words)
    folder, form = keys.pop("to", ""), keys.pop("format", "safetensors")
    if not folder:
        raise UserError("to=: name the folder that the tickets go to")
    if form not in WRITERS:
        raise unknown("format", form, WRITERS)
    for config in requested(keys).configs:
        for path in export(config, expanded(folder, "to"), judge, form):
            with printing():
                print(path)
    return 0


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
        UserError: if a ticket has not been found yet.
    """
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
