"""What to do next: the command that would settle what these records leave open, and how long it would take."""

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.labels import parse
from reports.records import CONTROL, ran
from reports.statistics import Cell, Summary
from reports.text import counted, say
from sanity.console.durations import duration


@dataclass(frozen=True)
class NextStep:
    """Commands to be copied (none where there is nothing to settle), and what they would settle."""

    text: str
    commands: tuple[str, ...]


TRAINS = "python -m sanity.run"
SELECTS = ("model", "methods", "checks", "ratio", "seeds")  # keys that choose a part of a published table
OF_AUTO = ("max_seeds", "max_hours")  # keys that go with seeds=auto alone; importing them would import pydantic
REPEATED = 3  # commands that are given again with more seeds
FIRST_CHECKS = "layerwise_rearrange,random_labels,reinit"  # for records without any


def next_step(frame: pd.DataFrame, summary: Summary, commands: Sequence[str] = ()) -> NextStep:
    """The command for the open comparisons that a number of seeds would settle; where nothing is compared, for the runs
    that a published table still asks for, or else for a first comparison.

    commands: what trained these records, if that is known; else the command is put together from the records.
    """
    trained = [command for command in commands if command.startswith(TRAINS)]
    compared = [cell for cell in summary.cells if cell.comparison]
    if not compared:
        return _without_checks(frame, summary, trained)
    settled = [cell for cell in compared if cell.compared.open and math.isfinite(cell.compared.seeds_needed)]
    if not settled:
        return NextStep(_nothing_to_settle(compared, summary), ())
    undecided = [cell for cell in compared if cell.compared.open]
    seeds = _most(settled)
    reached = sum(cell.compared.seeds_needed <= seeds for cell in settled)
    trainings = sum(max(0, seeds - len(cell.seeds)) for cell in _with_controls(settled, summary))
    text = say("next.settle", open=counted(len(undecided), "open comparison"), settled=reached,
               seeds=seeds, trainings=f"{trainings:,}", hours=_hours(frame, trainings))  # fmt: skip
    return NextStep(text, tuple(_commands(frame, settled, seeds, trained)))


def _nothing_to_settle(compared: Sequence[Cell], summary: Summary) -> str:
    """What to do where no number of seeds would settle anything: runs failed or are not there, nothing can be tested,
    or all is settled."""
    verdicts = [cell.compared.verdict for cell in compared]
    lacking, open_still = verdicts.count("missing"), sum(cell.compared.open for cell in compared)
    if failed := sum(sum(cell.failed.values()) for cell in summary.cells):
        return say("next.failed", count=counted(failed, "run"))
    if lacking:
        return say("next.lacking", count=counted(lacking, "comparison"))
    if open_still:
        return say("next.unknown", open=counted(open_still, "open comparison"))
    return say("next.untestable" if set(verdicts) == {"not testable"} else "next.nothing")


def _without_checks(frame: pd.DataFrame, summary: Summary, trained: Sequence[str]) -> NextStep:
    """The runs that the table asks for and are not there, or a first check where all are."""
    missing = sum(max(cell.missing, cell.asked - cell.accuracy.n) for cell in summary.cells)
    if missing:
        text = say(
            "next.unfinished",
            trainings=counted(missing, "run"),
            are="is" if missing == 1 else "are",
            hours=_hours(frame, missing),
        )
        return NextStep(text, _once([_without(command, (*SELECTS, *OF_AUTO)) for command in trained]))
    keys = ("checks",)
    asked = [shlex.join([*shlex.split(_without(command, keys)), f"checks={FIRST_CHECKS}"]) for command in trained]
    return NextStep(say("next.first_check"), _once(asked))


def _without(command: str, keys: Sequence[str]) -> str:
    """A command without some of its keys."""
    return shlex.join(word for word in shlex.split(command) if word.partition("=")[0] not in keys)


def _once(commands: Sequence[str]) -> tuple[str, ...]:
    """Each command once; none where they are more than a reader would copy."""
    different = tuple(dict.fromkeys(commands))
    return different if len(different) <= REPEATED else ()


def _most(cells: Sequence[Cell]) -> int:
    """The seeds that settle nine in ten of the comparisons: the last ones may take hundreds."""
    needed = sorted(cell.compared.seeds_needed for cell in cells)
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


def _commands(frame: pd.DataFrame, cells: Sequence[Cell], seeds: int, trained: Sequence[str]) -> Sequence[str]:
    """Those that trained the records, with more seeds; where these are not known, or many, one for each setting."""
    if again := _once([f"{_without(command, ('seeds', *OF_AUTO))} seeds=0-{seeds - 1}" for command in trained]):
        return again
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
