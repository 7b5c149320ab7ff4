"""The accuracies beside the last and the best one: in the CSV and, folded, in the report; absent from older records."""

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd

import reports
from reports import content
from reports.outcomes import Outcomes
from reports.statistics import summarise

FOLDED = "Accuracy before training, after pruning and after each round"


def rows(make: Callable[..., dict], *starts: object) -> pd.DataFrame:
    recorded = [{"start_test_accuracy": start, "round_test_accuracies": [90.0, 80.0 + 2 * seed]}
                for seed, start in enumerate(starts)]  # fmt: skip
    return pd.DataFrame([make("grasp", "none", 0.9, seed, 90.0, **of) for seed, of in enumerate(recorded)])


def test_means_are_over_the_runs_that_have_them(make_record: Callable[..., dict]) -> None:
    (cell,) = summarise(rows(make_record, 10.0, 20.0, None)).cells
    assert cell.outcomes.start == 15.0
    assert cell.outcomes.rounds == (90.0, 82.0)
    assert cell.outcomes.pruned != cell.outcomes.pruned  # NaN: no record has it


def test_what_is_no_number_counts_as_not_recorded(make_record: Callable[..., dict]) -> None:
    (cell,) = summarise(rows(make_record, "high", True)).cells
    assert cell.outcomes.start != cell.outcomes.start


def test_early_stopping_has_columns_of_its_own(make_record: Callable[..., dict], tmp_path: Path) -> None:
    stopped = [{"start_test_accuracy": 10.0, "early_stop_test_accuracy": 81.0 + 2 * seed, "early_stop_epoch": 4 + seed}
               for seed in range(2)]  # fmt: skip
    frame = pd.DataFrame([make_record("grasp", "none", 0.9, seed, 90.0, **of) for seed, of in enumerate(stopped)])
    written = reports.Report(frame).write(tmp_path, formats=("md", "csv"))
    (row,) = csv.DictReader(written["csv"].open(encoding="utf-8"))
    assert (row["early_stop_accuracy"], row["early_stop_epoch"], row["mean"]) == ("82.0", "4.5", "90.0")
    text = written["md"].read_text(encoding="utf-8")
    assert "at early stopping, %" in text
    assert "82.00" in text


def test_the_csv_and_a_folded_table_have_them(make_record: Callable[..., dict], tmp_path: Path) -> None:
    written = reports.Report(rows(make_record, 12.25, 12.25)).write(tmp_path, formats=("md", "html", "csv"))
    (row,) = csv.DictReader(written["csv"].open(encoding="utf-8"))
    assert (row["start_accuracy"], row["pruned_accuracy"], row["round_accuracies"]) == ("12.25", "", "90 81")
    for name in ("md", "html"):
        text = written[name].read_text(encoding="utf-8")
        folded = text[text.index(f"<details><summary>{FOLDED}</summary>") :]
        assert "12.25" in folded[: folded.index("</details>")]
        assert "right after pruning, %" not in folded[: folded.index("</details>")]  # an empty column


def test_barriers_are_shown_where_they_were_measured(make_record: Callable[..., dict], tmp_path: Path) -> None:
    frame = rows(make_record, 12.0, 12.0).assign(barrier_orders_test=[0.5, 1.0], barrier_control_test=None)
    written = reports.Report(frame).write(tmp_path, formats=("md", "csv"))
    (row,) = csv.DictReader(written["csv"].open(encoding="utf-8"))
    assert (row["barrier_orders"], row["barrier_control"]) == ("0.75", "")
    text = written["md"].read_text(encoding="utf-8")
    assert "barrier, other order" in text
    assert "barrier, control" not in text


def test_records_of_before_have_no_such_table(frame: pd.DataFrame) -> None:
    summary = summarise(frame)
    assert summary.cells[0].outcomes == Outcomes() or summary.cells[0].outcomes.rounds == ()
    assert "outcomes" not in [table.name for table in content.assemble(frame, summary).tables]
