"""Which comparisons more seeds would decide: those that are told apart from the decided ones by the same verdicts."""

import math
from collections.abc import Callable

import pandas as pd

import reports
from reports.analysis import Analysis
from reports.statistics import summarise

Record = Callable[..., dict]


def runs(make: Record, method: str, moved: list[float], **values: object) -> list[dict]:
    """The control at 90 % and a check that moves it by so many points, a seed each."""
    return [make(method, "none", 0.9, seed, 90 + 0.1 * (seed % 3)) for seed in range(len(moved))] + [
        make(method, "reinit", 0.9, seed, 90 + 0.1 * (seed % 3) + by, **values) for seed, by in enumerate(moved)
    ]


def test_only_what_is_not_decided_is_open(make_record: Record) -> None:
    frame = pd.DataFrame(
        runs(make_record, "snip", [0.0, 0.1, -0.1, 0.05, 0.0])  # equivalent
        + runs(make_record, "grasp", [-9.0, -9.1, -9.3, -9.0, -9.2])  # different
        + runs(make_record, "synflow", [1.0, -1.2, 0.4, 0.9, -0.3])
        + runs(make_record, "random", [0.3])
    )
    opened = reports.open_comparisons(frame)
    assert [(comparison.method, comparison.check, comparison.pairs) for comparison in opened] == [
        ("synflow", "reinit", 5), ("random", "reinit", 1),
    ]  # fmt: skip
    needed = {
        cell.method: cell.comparison.seeds_needed
        for cell in summarise(frame, Analysis(design="sequential")).cells
        if cell.comparison
    }
    assert opened[0].needed == needed["synflow"] > 5
    assert opened[0].missing == opened[0].needed - 5
    assert math.isnan(opened[1].needed)


def test_what_was_not_run_is_open_and_what_failed_is_not(make_record: Record) -> None:
    nothing = {"last_test_accuracy": math.nan, "best_test_accuracy": math.nan}
    for status, opened in (("missing", 1), ("failed", 0)):
        frame = pd.DataFrame(runs(make_record, "snip", [0.0, 0.0], **nothing, status=status, reason="no memory"))
        assert len(reports.open_comparisons(frame)) == opened
