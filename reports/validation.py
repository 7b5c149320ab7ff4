"""Checks records before anything is computed of them: a run without a usable accuracy is named and never counted."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from reports.escape import visible
from sanity.errors import UserError

NAMES = ("dataset", "model", "recipe", "method", "check")
ACCURACIES = ("last_test_accuracy", "best_test_accuracy")
OF_ACCURACIES = ("status", "dataset", "model", "recipe", *ACCURACIES, "classes", "test_examples")
STATUSES = ("done", "diverged", "missing", "failed", "unreadable")
NUMBERS = ("actual_ratio", "kept", "prunable", "effective_density", "mask_overlap", "expected_overlap", "classes",
           "asked", "wall_s", "search_s", "paper_mean", "paper_std", "paper_n", "test_examples", "function_gap",
           "earlier_look", "off_budget", "repeat_differs", "start_test_accuracy", "pruned_test_accuracy",
           "barrier_orders_test", "barrier_control_test", "barrier_orders_train", "barrier_control_train",
           "early_stop_test_accuracy", "early_stop_epoch")  # fmt: skip
KINDS = ("conv", "fc", "bias")
STRUCTURES = ("layers", "collapsed", "versions", "item_versions", "curve", "left_dense",
              "round_test_accuracies", "dose", "moments", "small", "early_bird", "check_words",
              "best_epochs", "search_cost", "operations", "solver")  # fmt: skip
DOSE_SCALES = ("linear", "log10")
FEW_CLASSES = 50  # chance is 2 %: no setting has all of its accuracies below 1 %


def cleaned(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy of a frame of records whose columns hold what their names say.

    Cells whose file is damaged have no names, so no table has a place for them: they are left out. Runs with an
    accuracy that is no percentage get the status `unreadable` and a reason. Numbers, layers and versions of another
    form count as not recorded; text is made printable.
    Raises `UserError` for a record that has no place in a table: without names, a ratio or a seed.
    """
    frame = frame[(frame["status"] != "unreadable") | frame["method"].notna()].reset_index(drop=True)
    for column in frame.columns:
        if column in NAMES:
            frame[column] = _texts(frame, column)
        elif column in (*NUMBERS, *ACCURACIES):
            continue
        elif column not in (*STRUCTURES, "ratio", "seed") and frame[column].dtype.kind not in "biu":  # numbers already
            frame[column] = _each(frame[column], _scalar)
    frame["ratio"] = _places(frame, "ratio", "a number from 0 to 1", lambda value: 0 <= value <= 1)
    frame["seed"] = _places(frame, "seed", "a whole number", lambda value: value >= 0 and value == int(value)).astype(
        int
    )
    for column in NUMBERS:
        if column in frame.columns:
            frame[column] = _numbers(frame[column])
    for column, read in (
        ("layers", _layers),
        ("collapsed", _names),
        ("versions", _versions),
        ("item_versions", _versions),
        ("left_dense", _sizes),
        ("dose", _dose),
        ("moments", _moments),
        ("small", _small),
        ("early_bird", _early_bird),
        ("best_epochs", _epochs),
        ("solver", _solver),
        ("check_words", _check_words),
    ):
        if column in frame.columns:
            frame[column] = _each(frame[column], read)
    return _without_unusable(frame)


def number(value: object) -> float:
    """A finite number; NaN for everything else, text and truth values among it."""
    if type(value) is float:  # of most; to ask whether something is a `Real` takes ten times as long
        return value if math.isfinite(value) else math.nan
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value) if math.isfinite(value) else math.nan
    except OverflowError:
        return math.nan


def _each(values: "pd.Series[Any]", function: Callable[[Any], Any]) -> "pd.Series[Any]":
    """The value of `function` for each; texts that recur, as names do, are read once."""
    texts: dict[str, Any] = {}

    def read(value: Any) -> Any:
        if type(value) is not str:
            return function(value)
        if value not in texts:
            texts[value] = function(value)
        return texts[value]

    return pd.Series([read(value) for value in values.tolist()], index=values.index, dtype=object)


def _numbers(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Each as `number` reads it."""
    if values.dtype.kind in "iuf":
        return values.astype(float).where(np.isfinite(values))
    return _each(values, number).astype(float)


def _texts(frame: pd.DataFrame, column: str) -> "pd.Series[Any]":
    for row, value in enumerate(frame[column]):
        if not isinstance(value, str):
            raise _misplaced(frame, row, column, "text")
    return _each(frame[column], visible)


def _places(frame: pd.DataFrame, column: str, kind: str, allowed: Callable[[float], bool]) -> "pd.Series[Any]":
    values = _each(frame[column], number)
    for row, value in enumerate(values):
        if math.isnan(value) or not allowed(value):
            raise _misplaced(frame, row, column, kind)
    return values.astype(float)


def _misplaced(frame: pd.DataFrame, row: int, column: str, kind: str) -> UserError:
    value = str(frame[column].iloc[row])[:80]
    cell = f"of the cell {frame['cell'].iloc[row]}" if "cell" in frame.columns else f"in row {row}"
    return UserError(visible(f"records: {column}={value} {cell}: should be {kind}"))


def _scalar(value: Any) -> Any:
    """Text that can be printed, a number or nothing; lists and other structures become text."""
    if isinstance(value, str):
        return visible(value)
    return value if value is None or isinstance(value, Real) else visible(str(value))


def _layers(value: Any) -> Any:
    """{layer: {"kept", "weights", "kind"}} where all of it is as it should be, else None."""
    if not isinstance(value, dict):
        return None
    layers = {}
    for name, counts in value.items():
        if not isinstance(counts, dict):
            return None
        kept, weights = number(counts.get("kept")), number(counts.get("weights"))
        if not (weights > 0 and 0 <= kept <= weights):
            return None
        kind = counts.get("kind")
        layers[visible(str(name))] = {"kept": kept, "weights": weights, "kind": kind if kind in KINDS else ""}
    return layers


def _small(value: Any) -> Any:
    """Parameters and operations of the small and of the whole network, where all are numbers above 0, else None.

    With them `speed`, where it was measured: seconds of the masked and of the small network, and on which device.
    """
    if not isinstance(value, dict):
        return None
    names = ("parameters", "flops", "dense_parameters", "dense_flops")
    sizes = {name: number(value.get(name)) for name in names}
    if not all(size > 0 for size in sizes.values()):
        return None
    speed = _speed(value.get("speed"))
    return {**sizes, "speed": speed} if speed else sizes


def _speed(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    names = [f"{network}_{work}_s" for network in ("masked", "small") for work in ("forward", "step")]
    figures = {name: number(value.get(name)) for name in (*names, "batch")}
    device = value.get("device")
    return {**figures, "device": device} if isinstance(device, str) and all(f > 0 for f in figures.values()) else None


def _epochs(value: Any) -> Any:
    """Numbers of epochs, each above 0; else None."""
    epochs = [number(epoch) for epoch in value] if isinstance(value, list | tuple) else []
    return [int(epoch) for epoch in epochs] if epochs and all(epoch >= 1 for epoch in epochs) else None


def _check_words(value: Any) -> Any:
    """{check: what it keeps and destroys}, of those that say what they destroy; None where there is none."""
    entries = value.items() if isinstance(value, dict) else ()
    words = {
        visible(str(name)): {field: visible(str(said.get(field) or "")) for field in ("keeps", "destroys")}
        for name, said in entries
        if isinstance(said, dict) and said.get("destroys")
    }
    return words or None


def _early_bird(value: Any) -> Any:
    """The epoch of a ticket, whether its mask had settled, and a square of distances from 0 to 1; else None."""
    if not isinstance(value, dict) or not isinstance(value.get("distances"), list):
        return None
    epoch, rows = number(value.get("epoch")), value["distances"]
    square = [[number(entry) for entry in row] if isinstance(row, list) else [] for row in rows]
    whole = all(len(row) == len(square) and all(0 <= entry <= 1 for entry in row) for row in square)
    if not square or not whole or not epoch >= 1:
        return None
    return {"epoch": epoch, "emerged": value.get("emerged") is True, "distances": square}


def _solver(value: Any) -> Any:
    """The time limit of a search's problems and what the slowest took, where both are seconds, else None."""
    if not isinstance(value, dict):
        return None
    seconds = {name: number(value.get(name)) for name in ("time_limit_s", "slowest_s")}
    return seconds if all(entry >= 0 for entry in seconds.values()) else None


def _names(value: Any) -> Any:
    return [visible(str(name)) for name in value] if isinstance(value, list | tuple) else []


def _versions(value: Any) -> Any:
    return (
        {visible(str(name)): visible(str(version)) for name, version in value.items()}
        if isinstance(value, dict)
        else {}
    )


def _sizes(value: Any) -> Any:
    return {visible(str(name)): number(size) for name, size in value.items()} if isinstance(value, dict) else {}


def _dose(value: Any) -> Any:
    """{"of", "option", "value", "scale"} where all of it is as it should be, else None."""
    if not isinstance(value, dict) or not number(value.get("value")) > 0 or value.get("scale") not in DOSE_SCALES:
        return None
    texts = {name: visible(str(value.get(name, ""))) for name in ("of", "option")}
    return {**texts, "value": number(value["value"]), "scale": value["scale"]}


def _moments(value: Any) -> Any:
    """{option: epochs}, of those that are numbers."""
    epochs = {visible(str(name)): number(at) for name, at in value.items()} if isinstance(value, dict) else {}
    return {name: at for name, at in epochs.items() if at >= 0}


def _without_unusable(frame: pd.DataFrame) -> pd.DataFrame:
    """Runs whose accuracies cannot be meant get the status `unreadable`, with the reason."""
    rows = frame[[name for name in OF_ACCURACIES if name in frame.columns]].to_dict("records")
    fractions = _settings_of_fractions(rows)
    reasons = []
    for row in rows:
        if row["status"] in ("missing", "failed", "unreadable"):
            reasons.append("")
        elif row["status"] not in STATUSES:
            reasons.append(f"status={row['status']} is none of {', '.join(STATUSES)}")
        elif _setting(row) in fractions:
            reasons.append("accuracies are fractions, percentages are expected")
        else:
            reasons.append(_problem(row))
    faulty = pd.Series([bool(reason) for reason in reasons], index=frame.index, dtype=bool)
    if faulty.any():
        if "reason" not in frame.columns:
            frame["reason"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
        frame.loc[faulty, "reason"] = [reason for reason in reasons if reason]
        frame.loc[faulty, "status"] = "unreadable"
    for column in ACCURACIES:
        frame[column] = _numbers(frame[column])
    return frame


def _setting(row: dict[Any, Any]) -> tuple[Any, ...]:
    return row["dataset"], row["model"], row["recipe"]


def _settings_of_fractions(rows: list[dict[Any, Any]]) -> set[tuple[Any, ...]]:
    """Settings whose accuracies all lie between 0 and 1 though chance alone gives more."""
    highest: dict[tuple[Any, ...], float] = {}
    for row in rows:
        values = [value for value in (number(row[name]) for name in ACCURACIES) if not math.isnan(value)]
        if row["status"] == "done" and values and not row.get("classes", math.nan) > FEW_CLASSES:
            highest[_setting(row)] = max(highest.get(_setting(row), 0.0), *values)
    return {setting for setting, value in highest.items() if 0 < value <= 1}


def _problem(row: dict[Any, Any]) -> str:
    """Why the accuracies of a run that took place cannot be used; empty where they can. A run that diverged may have
    none."""
    for name in ACCURACIES:
        recorded, value = row[name], number(row[name])
        if recorded is None or recorded is pd.NA or (isinstance(recorded, float) and math.isnan(recorded)):
            if row["status"] == "done":
                return f"{name} is not recorded"
        elif math.isnan(value) or not 0 <= value <= 100:
            return f"{name}={visible(str(recorded)[:40])} is no percentage"
        elif 0 < value <= 1 and not _is_share(value, row.get("test_examples", math.nan)):
            return f"{name}={value:g} is a fraction, a percentage is expected"
    return ""


def _is_share(percentage: float, examples: float) -> bool:
    """Whether so many of `examples` can be this percentage; true where their number is not known."""
    correct = percentage / 100 * examples
    return math.isnan(correct) or abs(correct - round(correct)) < 1e-3
