"""Trains some of the recorded runs again and compares: records that others packed are claims until then.

Torch is imported only when something is trained.
"""

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.labels import Part, parse
from reports.records import METRICS
from reports.text import say
from reports.validation import cleaned, number
from reports.wording import method_name, percent, points
from sanity.errors import UserError

EQUAL = 1e-4  # percentage points; packed accuracies are rounded, and below one example of any test set


@dataclass(frozen=True)
class Verification:
    """One run that was trained again. `recorded` and `again`: its accuracy in percent, then and now."""

    name: str
    recorded: float
    again: float

    def agrees(self, margin: float) -> bool:
        """Whether the two accuracies lie within `margin` points; another processor rounds in other places."""
        return abs(self.again - self.recorded) <= margin

    def text(self, margin: float) -> str:
        """The comparison in one sentence."""
        difference = self.again - self.recorded
        equal = abs(difference) <= EQUAL
        key = "equal" if equal else "agrees" if self.agrees(margin) else "differs"
        values = {"recorded": points(self.recorded), "again": points(self.again)}
        return say(f"verify.{key}", run=self.name, difference=points(difference, signed=True), **values)


def choose(frame: pd.DataFrame, count: int) -> list[dict[Any, Any]]:
    """Draws `count` runs that are recorded as done, those from records.jsonl before those that were trained here."""
    records = cleaned(frame)
    done = records[records["status"] == "done"].to_dict("records")
    packed = [row for row in done if row.get("origin") == "packed"] or done
    if not packed:
        raise UserError("records: none of a run that ended, so there is nothing to verify")
    return random.sample(packed, min(count, len(packed)))  # from the system's entropy: nobody can foresee which


def train_again(record: Mapping[str, Any], metric: str, data_dir: str) -> Verification:
    """Trains the run of one record again, in a folder of its own, from nothing but its settings.

    Raises `UserError` where the record does not name settings that can be run.
    """
    from sanity.grid.execution import run_keys

    method, check = str(record["method"]), str(record["check"])
    name = say(
        "verify.run", method=method_name(method), check=check, ratio=percent(record["ratio"]), seed=record["seed"]
    )
    with tempfile.TemporaryDirectory() as folder:
        keys = {**settings(record), "data_dir": data_dir, "results_dir": folder}
        frame = run_keys(keys)
    match = frame[(frame["method"] == method) & (frame["check"] == check) & (frame["status"] == "done")]
    if match.empty:
        raise UserError(f"{name}: trained again it did not end as recorded")
    column = METRICS[metric]
    return Verification(name, number(record[column]), number(match[column].iloc[0]))


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
