"""What to do next: the command that would settle what these records leave open, and how long it would take."""

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.comparisons import Comparison
from reports.labels import parse
from reports.records import CONTROL, ran
from reports.statistics import Cell, Summary
from reports.text import counted, say
from sanity.console.durations import duration

OF_A_MACHINE = ("reproduction=", "device=", "precision=", "data_dir=", "results_dir=")  # words that choose no cells


@dataclass(frozen=True)
class NextStep:
    """Commands to be copied (none where there is nothing to settle), and what they would settle."""

    text: str
    commands: tuple[str, ...]


def next_step(frame: pd.DataFrame, summary: Summary, command: str = "") -> NextStep | None:
    """The command for the open comparisons that a number of seeds would settle; where nothing is compared, that for
    the cells of a published table that were never run; None where there is neither.

    command: what trained these records, if that is known; else the command is put together from the records.
    """
    compared = [cell for cell in summary.cells if cell.comparison]
    undecided = [cell for cell in compared if _of(cell).open]
    if not compared:
        return _rest_of_a_table(summary, command)
    settled = [cell for cell in undecided if math.isfinite(_of(cell).seeds_needed)]
    if not settled:
        return NextStep(say("next.nothing" if not undecided else "next.unknown", open=len(undecided)), ())
    seeds = _most(settled)
    reached = sum(_of(cell).seeds_needed <= seeds for cell in settled)
    trainings = sum(max(0, seeds - len(cell.seeds)) for cell in _with_controls(settled, summary))
    text = say("next.settle", open=counted(len(undecided), "open comparison"), settled=reached,
               seeds=seeds, trainings=f"{trainings:,}", hours=_hours(frame, trainings))  # fmt: skip
    return NextStep(text, tuple(_commands(frame, settled, seeds, command)))


def _rest_of_a_table(summary: Summary, command: str) -> NextStep | None:
    """The whole table's command, if `command` trained a part of it: it runs only what is not there."""
    unrun = [cell for cell in summary.cells if cell.paper and cell.never_run]
    kept = [word for word in shlex.split(command) if word.startswith(OF_A_MACHINE)]
    if not unrun or not any(word.startswith("reproduction=") for word in kept):
        return None
    text = say("next.rest", cells=counted(len(unrun), "printed number"))
    return NextStep(text, (shlex.join(["python", "-m", "sanity.run", *kept]),))


def _most(cells: Sequence[Cell]) -> int:
    """The seeds that settle nine in ten of the comparisons: the last ones may take hundreds."""
    needed = sorted(_of(cell).seeds_needed for cell in cells)
    return int(needed[math.ceil(0.9 * len(needed)) - 1])


def _with_controls(cells: Sequence[Cell], summary: Summary) -> list[Cell]:
    keys = {(cell.setting, cell.method, cell.ratio) for cell in cells}
    return [
        *cells,
        *(cell for cell in summary.select(check=CONTROL) if (cell.setting, cell.method, cell.ratio) in keys),
    ]


def _hours(frame: pd.DataFrame, trainings: int) -> str:
    """How long so many trainings take at the mean pace of those recorded, one after the other."""
    done = ran(frame)
    seconds = pd.to_numeric(done["wall_s"]).mean() if "wall_s" in done.columns else math.nan
    return duration(seconds * trainings) if seconds > 0 else say("next.unknown_time")


def _commands(frame: pd.DataFrame, cells: Sequence[Cell], seeds: int, command: str) -> list[str]:
    """One command for each setting; that which trained the records, with more seeds, where a label has options."""
    if command.startswith("python -m sanity.run"):
        words = [word for word in shlex.split(command) if not word.startswith("seeds=")]
        return [shlex.join([*words, f"seeds=0-{seeds - 1}"])]
    commands = []
    for setting in dict.fromkeys(cell.setting for cell in cells):
        part = [cell for cell in cells if cell.setting == setting]
        labels = [*dict.fromkeys(cell.method for cell in part), *dict.fromkeys(cell.check for cell in part)]
        if any("[" in label for label in labels) or not re.fullmatch(r"[\w.@-]+", setting[2]):
            continue
        dataset, model, recipe = setting
        rows = frame[(frame["dataset"] == dataset) & (frame["model"] == model) & (frame["recipe"] == recipe)]
        given = rows["overrides"].dropna() if "overrides" in rows.columns else pd.Series(dtype=object)
        words = ["python", "-m", "sanity.run", f"dataset={dataset}", f"model={model}", f"recipe={recipe}"]
        words += str(given.iloc[0]).split() if len(given) else []
        words += [f"methods={','.join(dict.fromkeys(_method(cell.method) for cell in part))}"]
        words += [f"checks={','.join(dict.fromkeys(cell.check for cell in part))}"]
        words += [f"ratio={','.join(f'{ratio:.9g}' for ratio in sorted({cell.ratio for cell in part}))}"]
        commands.append(shlex.join([*words, f"seeds=0-{seeds - 1}"]))
    return commands


def _method(label: str) -> str:
    return parse(label)[0].label


def _of(cell: Cell) -> Comparison:
    assert cell.comparison is not None  # by the selection of the callers
    return cell.comparison
