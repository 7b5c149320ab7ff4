"""Trains some of the recorded runs again and compares: records that others packed are claims until then.

Torch is imported only when something is trained.
"""

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.analysis import METRICS
from reports.labels import Part, parse
from reports.text import say
from reports.validation import number
from reports.wording import method_name, percent, points
from sanity.errors import UserError
from sanity.store.repeats import Repeat, repeat_of

EQUAL = 1e-4  # percentage points; packed accuracies are rounded, and below one example of any test set


@dataclass(frozen=True)
class Verification:
    """One run that was trained again. `recorded` and `again`: its accuracy in percent, then and now.

    same_weights: whether the trained weights are those of the record, bit for bit.
    """

    name: str
    recorded: float
    again: float
    same_weights: bool

    def agrees(self, margin: float) -> bool:
        """Whether the two accuracies lie within `margin` points; another processor rounds in other places."""
        return abs(self.again - self.recorded) <= margin

    def text(self, margin: float) -> str:
        """The comparison in one sentence."""
        key = "differs"
        if abs(self.again - self.recorded) <= EQUAL:
            key = "same_weights" if self.same_weights else "equal"
        elif self.agrees(margin):
            key = "agrees"
        values = {"recorded": points(self.recorded), "again": points(self.again)}
        return say(f"verify.{key}", run=self.name, difference=points(self.again - self.recorded, signed=True), **values)


def choose(frame: pd.DataFrame, count: int) -> list[dict[Any, Any]]:
    """Draws `count` runs that are recorded as done: those from records.jsonl before those that were trained here, and
    those that were never trained again before the others.
    """
    done = frame[frame["status"] == "done"]
    if done.empty:
        raise UserError("records: none of a run that ended, so there is nothing to verify")
    order = random.sample(range(len(done)), len(done))  # from the system's entropy: nobody can foresee which
    drawn = done.iloc[order].to_dict("records")
    first = [row for row in drawn if row.get("origin") == "packed"] or drawn
    first.sort(key=lambda row: isinstance(row.get("trained_again"), Repeat))
    return first[:count]


def train_again(record: Mapping[Any, Any], data_dir: str) -> Repeat:
    """Trains the run of one record again, in a folder of its own, from nothing but its settings.

    Raises `UserError` where the record does not name settings that can be run.
    """
    from sanity.grid.execution import run_keys  # which imports torch

    with tempfile.TemporaryDirectory() as folder:
        frame = run_keys({**settings(record), "data_dir": data_dir, "results_dir": folder})
    rows = frame[(frame["method"] == record["method"]) & (frame["check"] == record["check"])]
    ended = rows[rows["status"] == "done"]
    if ended.empty:
        raise UserError(f"{_name(record)}: trained again it did not end as recorded")
    return repeat_of(record, ended.iloc[0].to_dict())


def compared(record: Mapping[Any, Any], repeat: Repeat, metric: str) -> Verification:
    """Sets a run that was trained again beside its record. metric: `last` or `best` test accuracy."""
    column = METRICS[metric]
    return Verification(_name(record), number(record[column]), getattr(repeat, column), repeat.is_equal)


def repeats_told(frame: pd.DataFrame) -> str:
    """How the runs that were trained again came out, all of them; empty if none was."""
    if "trained_again" not in frame.columns:
        return ""
    ended = frame[frame["status"] == "done"]
    again = [(row, row["trained_again"]) for row in ended.to_dict("records")]
    pairs = [(row, repeat) for row, repeat in again if isinstance(repeat, Repeat)]
    if not pairs:
        return ""
    off = [abs(repeat.last_test_accuracy - number(row["last_test_accuracy"])) for row, repeat in pairs]
    differ, same = sum(gap > EQUAL for gap in off), sum(repeat.is_equal for _, repeat in pairs)
    outcomes = []
    if len(pairs) > differ:
        outcomes.append(say("remark.again.equal", count=len(pairs) - differ, weights=same))
    if differ:
        outcomes.append(say("remark.again.near", count=differ, points=points(max(off))))
    values = {"devices": " and ".join(sorted({repeat.device for _, repeat in pairs})), "outcomes": ", ".join(outcomes)}
    return say("remark.again.told", count=len(pairs), of=f"{len(ended):,}", **values)


def _name(record: Mapping[Any, Any]) -> str:
    values = {"method": method_name(str(record["method"])), "ratio": percent(record["ratio"])}
    return say("verify.run", **values, check=str(record["check"]), seed=record["seed"])


def settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a run with the one cell of a record, and its control."""
    (method,), checks = parse(str(record["method"])), parse(str(record["check"]))
    keys: dict[str, Any] = {name: record[name] for name in ("dataset", "model", "recipe")}
    keys |= {"methods": f"{method.name}@{method.variant}" if method.variant else method.name, "seeds": record["seed"]}
    keys["checks"] = "+".join(part.name for part in checks)
    if record["ratio"] > 0:
        keys["ratio"] = record["ratio"]
    for name in ("precision", "deterministic"):
        if record.get(name) is not None:
            keys[name] = record[name]
    for word in str(record.get("overrides") or "").split():
        key, _, value = word.partition("=")
        keys[key] = value
    return {**keys, **_options([method, *checks])}


def _options(parts: Sequence[Part]) -> dict[str, str]:
    return {f"{part.name}.{option}": value for part in parts for option, value in part.options}
