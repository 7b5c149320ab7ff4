"""Checks a record for contradictions: accuracies against the curve, ticket and seed against the cell."""

from collections.abc import Mapping
from typing import Any

_ROUNDED = 1e-5  # packed curves keep six decimals


def problem(record: Mapping[str, Any], cell: Mapping[str, Any] | None = None) -> str:
    """Describes the first contradiction in the record of a training, or between it and its `cell`; empty if none."""
    for name in ("ticket", "seed"):
        if cell is not None and name in record and name in cell and record[name] != cell[name]:
            return f"its {name} is not that of the cell"
    status = record.get("status")
    if not isinstance(status, str):
        return "it has no status"
    try:
        accuracies = [float(_accuracy(point)) for point in record.get("curve") or []]
    except (TypeError, ValueError, KeyError):
        return "its curve holds what is no accuracy"
    last, best = record.get("last_test_accuracy"), record.get("best_test_accuracy")
    for name, value in (("last_test_accuracy", last), ("best_test_accuracy", best)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            return f"{name}={value} is no percentage"
    if accuracies and status == "done" and last is not None and abs(last - accuracies[-1]) > _ROUNDED:
        return f"last_test_accuracy={last}, but its curve ends at {accuracies[-1]:g}"
    if accuracies and best is not None and abs(best - max(accuracies)) > _ROUNDED:
        return f"best_test_accuracy={best}, but the best of its curve is {max(accuracies):g}"
    return ""


def _accuracy(point: Any) -> Any:
    return point["test_accuracy"] if isinstance(point, Mapping) else point
