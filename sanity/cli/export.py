"""Runs `python -m sanity.export to=FOLDER KEY=VALUE ...`: writes the tickets of a run to files that others can read.

The keys are those of `python -m sanity.run`; tickets that the run has found are written, and nothing is computed.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sanity.cli.request import requested
from sanity.config import pairs
from sanity.config.options import expanded
from sanity.console.ending import exit_code
from sanity.console.output import printing
from sanity.console.pages import print_page
from sanity.errors import UserError

if TYPE_CHECKING:
    from sanity.cli.exported import AskOf

_HELP = """\
python -m sanity.export to=FOLDER [format=safetensors] KEY=VALUE ...

Writes the tickets that a run has found, one file a ticket: METHOD_RATIO_seedSEED, with the check behind the method. The
keys are those of python -m sanity.run, which must have run. A file holds the weights to start from (weight_orig) and
the masks (weight_mask), as torch.nn.utils.prune names them; imported.masks= and init=file: read them again. A ticket
that does not start at the beginning of the schedule has a file NAME.json beside it, which says where.

  to=      folder, made where it is not there
  format=  safetensors, torch (a state dict, .pt) or npz"""


def main(words: Sequence[str], judge: "Callable[[], AskOf]") -> int:
    """Exports what the words name. Returns 2, with one line, for a mistake; 1 where files cannot be written.

    judge: loads what `sanity.cli.exported.export` needs to judge by; it is not called for help.
    """
    return exit_code(lambda: _run(words, judge))


def _run(words: Sequence[str], judge: "Callable[[], AskOf]") -> int:
    if any(word in ("-h", "--help", "help") for word in words):
        print_page(_HELP)
        return 0
    from sanity.cli.exported import export  # which imports torch

    keys = pairs(words)
    folder, form = keys.pop("to", ""), keys.pop("format", "safetensors")
    if not folder:
        raise UserError("to=: name the folder that the tickets go to")
    if (place := expanded(folder, "to")).exists() and not place.is_dir():
        raise UserError(f"to={folder}: is no folder")
    for config in requested(keys).configs:
        for path in export(config, place, judge(), form):
            with printing():
                print(path)
    return 0
