"""What a search costs stands beside the accuracy of its ticket; records that do not say it have a dash."""

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports.statistics import summarise
from reports.tables import tables

COST = {"passes": {"forward": 200, "backward": 200, "second": 100}, "gradients": 400.0, "before": 3000.0,
        "training": 6000.0, "schedule": 8000.0}  # fmt: skip
SIZES = {"whole": 1000, "kept": 150.0}


def frame(make: Callable[..., dict], *methods: tuple[str, object, object]) -> pd.DataFrame:
    """Two runs of the ticket of each method, and of a check of it."""
    return pd.DataFrame(
        [
            make(method, check, 0.9, seed, 90.0 + seed, search_cost=cost, operations=sizes, wall_s=20.0, search_s=2.0)
            for method, cost, sizes in methods
            for check in ("none", "reinit")
            for seed in (0, 1)
        ]
    )


def test_search_and_training_before_it_stand_in_units_of_a_dense_training(make_record: Callable[..., dict]) -> None:
    cell, _ = summarise(frame(make_record, ("grasp", COST, SIZES))).cells
    assert cell.cost.share == pytest.approx(3400 / 8000)
    assert cell.cost.seconds_before == pytest.approx(3000 / 6000 * 20)
    assert cell.cost.operations == pytest.approx(0.15)
    (table,) = [
        table for table in tables(summarise(frame(make_record, ("grasp", COST, SIZES)))) if table.name == "costs"
    ]
    (row,) = table.rows
    assert dict(zip(table.columns, (value.text for value in row), strict=True)) == {
        "method": "GraSP",
        "ratio": "90 %",
        "check": "none",
        "accuracy, %": "90.50",
        "search, gradients": "400",
        "training before, gradients": "3,000",
        "both, of a dense training": "42.5 %",
        "search, s": "2",
        "training before, s": "10",
        "operations of kept weights": "15 %",
    }


@pytest.mark.parametrize("cost", [None, {"gradients": None, "before": True}, "much", {"gradients": float("inf")}])
def test_what_is_not_known_is_a_dash_and_counts_as_nothing(make_record: Callable[..., dict], cost: object) -> None:
    both = frame(make_record, ("grasp", COST, SIZES), ("snip", cost, None))
    (table,) = [table for table in tables(summarise(both)) if table.name == "costs"]
    place = table.columns.index("search, gradients")
    assert [row[place].text for row in table.rows] == ["400", "\N{EN DASH}"]
    assert "costs" not in {table.name for table in tables(summarise(frame(make_record, ("snip", cost, None))))}


def test_the_csv_has_the_numbers_and_the_report_the_folded_table(
    make_record: Callable[..., dict], tmp_path: Path
) -> None:
    written = reports.Report(frame(make_record, ("grasp", COST, SIZES))).write(tmp_path, formats=("html", "md", "csv"))
    row, _ = csv.DictReader(written["csv"].open(encoding="utf-8"))
    names = ("search_gradients", "gradients_before", "ticket_gradients", "dense_gradients", "seconds_before")
    assert [float(row[name]) for name in names] == [400, 3000, 6000, 8000, 10]
    assert (float(row["operations"]), float(row["kept_operations"])) == (1000, 150)
    for name in ("md", "html"):
        text = written[name].read_text(encoding="utf-8")
        folded = text[text.index("<details><summary>What the search costs</summary>") :]
        assert "42.5" in folded[: folded.index("</details>")]
