"""Compares what was predicted with what was found: comparisons whose answer is known are the controls of a report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reports.statistics import Cell, Summary
from reports.text import counted, say
from reports.wording import method_name, percent, verdict_name

KNOWN = ("identical", "same function", "null", "better")
"""Predictions that say what must be found, see `checks.base.Prediction`; `open` says nothing."""
ROUNDING = 1e-9  # relative difference of float64 logits; what rounding leaves is below 1e-12
LISTED = 3  # failures that are named one by one

State = Literal["held", "failed", "open"]


@dataclass(frozen=True)
class Control:
    """A comparison whose answer is known, and whether it came out so. `open`: these runs cannot tell."""

    cell: Cell
    state: State


def controls(summary: Summary) -> list[Control]:
    """The comparisons of a report whose answer is known, in the order of its tables."""
    return [Control(cell, state(cell)) for cell in summary.cells if cell.comparison and cell.predicted in KNOWN]


def state(cell: Cell) -> State:
    """Whether a comparison came out as predicted; for a cell whose prediction is one of `KNOWN`."""
    verdict, moved = _found(cell)
    if verdict == "missing":
        return "open"
    if cell.predicted == "identical":
        return "held" if verdict == "identical" else "failed"
    if cell.predicted == "same function":
        if verdict == "different" or cell.function_gap > ROUNDING:
            return "failed"
        return "open" if math.isnan(cell.function_gap) else "held"
    if cell.predicted == "null":
        if verdict == "different":
            return "failed"
        return "held" if verdict in ("identical", "equivalent") else "open"
    if verdict == "different":
        return "held" if moved > 0 else "failed"
    return "failed" if verdict in ("identical", "equivalent") else "open"


def _found(cell: Cell) -> tuple[str, float]:
    """The verdict of the numbers, and the mean difference."""
    return cell.compared.found or cell.compared.verdict, cell.compared.difference.mean


def verdict_on_controls(summary: Summary) -> str:
    """How many controls came out as they must, which did not, and which cannot be told; empty without any."""
    known = controls(summary)
    if not known:
        return ""
    held, failed, unclear = ([one for one in known if one.state == state] for state in ("held", "failed", "open"))
    kinds = [one.cell.predicted for one in held]
    listed = ", ".join(f"{kinds.count(kind)} {say(f'predicted.{kind}')}" for kind in KNOWN if kind in kinds)
    texts = []
    if held or failed:
        texts.append(say("controls.held", held=len(held), all=len(known), kinds=f" ({listed})" if listed else ""))
    mute = [one for one in unclear if _found(one.cell)[0] == "not testable"]
    for key, some in (("open" if texts else "none_held", [one for one in unclear if one not in mute]), ("mute", mute)):
        if some:
            texts.append(say(f"controls.{key}", count=counted(len(some), "control"), cells=_named(some)))
    if failed:
        texts.append(say("controls.failed", count=counted(len(failed), "control"), cells=_named(failed)))
    return " ".join(texts)


def _named(known: Sequence[Control]) -> str:
    rest = len(known) - LISTED
    names = ", ".join(
        f"{method_name(one.cell.method)} {one.cell.check} {percent(one.cell.ratio)}" for one in known[:LISTED]
    )
    return say("controls.more", names=names, rest=rest) if rest > 0 else names


def judgement(cell: Cell) -> str:
    """Whether a comparison came out as predicted, in two words; empty where that is not known."""
    if cell.comparison is None or cell.predicted not in KNOWN or state(cell) == "open":
        return ""
    kind = "as_predicted" if state(cell) == "held" else "not_predicted"
    return say(f"controls.{kind}", predicted=say(f"predicted.{cell.predicted}"))


def contradiction(cell: Cell) -> str:
    """What a reader must know of a comparison that did not come out as predicted; empty for all others."""
    if cell.comparison is None or cell.predicted not in KNOWN or state(cell) != "failed":
        return ""
    if cell.predicted == "same function" and cell.function_gap > ROUNDING:
        return say("controls.function", gap=f"{cell.function_gap:.1g}")
    kind = "chance" if cell.predicted == "null" else "fault"
    predicted = say(f"predicted.{cell.predicted}")
    return say(f"controls.{kind}", predicted=predicted, found=verdict_name(_found(cell)[0]))
