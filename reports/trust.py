"""What a reader must know before believing an answer, as a short list: controls, power, references, lost runs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

import pandas as pd

from reports import inference
from reports.controls import controls, verdict_on_controls
from reports.designs import design_of
from reports.overview import remarks, unfinished
from reports.phrases import phrase
from reports.references import as_good_as_dense, could_not_fail
from reports.sentences import change
from reports.statistics import Cell, Summary
from reports.text import counted, say
from reports.wording import method_name, percent, percents, points, trimmed

State = Literal["good", "mind", "bad"]
NOTHING_LEARNT = ("diverged", "dead", "chance")


@dataclass(frozen=True)
class Trust:
    """One thing to know. `state`: as it should be, to be kept in mind, or a reason not to believe the rest."""

    state: State
    text: str


def trust(frame: pd.DataFrame, summary: Summary) -> Iterator[Trust]:
    """Controls, networks that learn, whether a check can fail here, the smallest visible effect, lost runs."""
    compared = [cell for cell in summary.cells if cell.comparison]
    if known := controls(summary):
        states = {control.state for control in known}
        yield Trust("bad" if "failed" in states else "mind" if "open" in states else "good",
                    verdict_on_controls(summary))  # fmt: skip
    if compared:
        yield _learnt(compared)
        yield _can_fail(compared)
        yield from _likely(compared)
        yield from _visible(compared, summary)
        yield from _random(summary)
    yield _runs(frame, summary)
    for remark in remarks(frame):
        yield Trust("mind", remark)


def _learnt(compared: list[Cell]) -> Trust:
    nothing = sum(cell.compared.obstacle in NOTHING_LEARNT for cell in compared)
    if not nothing:
        return Trust("good", say("trust.learnt"))
    return Trust("mind", say("trust.not_learnt", count=nothing, all=counted(len(compared), "comparison")))


def _can_fail(compared: list[Cell]) -> Trust:
    """Whether any check of these records moved accuracy, and by how much the one that moved it most did."""
    for verdict, key in (("different", "can_fail"), ("likely different", "can_fail_likely")):
        if effects := [cell for cell in compared if cell.compared.verdict == verdict]:
            most = max(effects, key=lambda cell: abs(cell.compared.difference.mean))
            action = phrase(most.check, most.check_words).action
            text = say(f"trust.{key}", action=action, change=change([most]),
                       method=method_name(most.method), ratio=percent(round(most.ratio, 3)))  # fmt: skip
            return Trust("good" if verdict == "different" else "mind", text)
    return Trust("mind", say("trust.cannot_fail"))


def _likely(compared: list[Cell]) -> Iterator[Trust]:
    """What "likely" means, where a verdict is."""
    if count := sum(cell.compared.verdict == "likely different" for cell in compared):
        yield Trust("mind", say("trust.likely_one" if count == 1 else "trust.likely", count=count))


def _visible(compared: list[Cell], summary: Summary) -> Iterator[Trust]:
    """The difference from which on a comparison, taken alone, tells one from none: half its interval."""
    design = design_of(summary.design)
    halves = []
    for comparison in (cell.compared for cell in compared):
        difference = comparison.difference
        if comparison.tested:
            _, half = inference.interval(0.0, difference.std, difference.n, summary.alpha, 2, design)
            halves += [half] if math.isfinite(half) else []
    if halves:
        middle = median(halves)
        ends = " to ".join(dict.fromkeys(points(end) for end in (min(halves), max(halves))))
        key = "trust.visible" if len(halves) > 1 else "trust.visible_one"
        yield Trust("good" if middle <= summary.margin else "mind", say(key, middle=points(middle), ends=ends))


def _random(summary: Summary) -> Iterator[Trust]:
    """Where random pruning does as well as the dense network, so that no ticket can matter."""
    places = {setting: as_good_as_dense(summary, setting) for setting in summary.names("setting")}
    known = {setting: place for setting, place in places.items() if place[1]}
    if not known:
        yield Trust("mind", say("trust.random_unknown"))
        return
    margin, easy = trimmed(summary.margin), could_not_fail_count(summary)
    for setting, (alike, every) in known.items():
        where = f"{' · '.join(setting)}: " if len(known) > 1 else ""
        if alike:
            yield Trust("mind", where + say("trust.random_alike", where=percents(alike, every), margin=margin))
        else:
            yield Trust("good", where + say("trust.random_worse", margin=margin))
    if easy:
        found = sum(cell.compared.verdict == "equivalent" for cell in summary.cells if cell.comparison)
        yield Trust("mind", say("trust.easy", easy=easy, found=found, margin=margin))


def could_not_fail_count(summary: Summary) -> int:
    """How many of the comparisons without effect could not have had one, since random pruning does as well there."""
    return sum(bool(could_not_fail(cell, summary)) for cell in summary.cells)


def _runs(frame: pd.DataFrame, summary: Summary) -> Trust:
    counts = {status: int((frame["status"] == status).sum()) for status in ("failed", "diverged", "missing")}
    there = len(frame) - counts["missing"] - counts["failed"]
    asked = unfinished(summary)  # which tells of what is missing too
    lost = ", ".join(
        f"{count} {status}" for status, count in counts.items() if count and not (asked and status == "missing")
    )
    text = say("trust.runs", runs=counted(there, "run"), lost=lost or say("trust.none_lost"))
    return Trust("mind" if lost or asked else "good", " ".join(filter(None, (text, asked))))
