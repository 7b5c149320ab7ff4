"""How it was run: the commands that trained the records first, then what made the report of them."""

import json
from pathlib import Path

import pandas as pd

import reports
from reports.provenance import COLUMNS, UNREAD, entries
from reports.validation import cleaned

SNIP, GRASP = "python -m sanity.run methods=snip", "python -m sanity.run methods=grasp"


def test_a_report_shows_what_trained_its_records_before_what_made_it(frame: pd.DataFrame, tmp_path: Path) -> None:
    rebuilt = "python -m reports results"
    files = reports.Report(frame, origin=reports.Origin(command=rebuilt, trained_by=[SNIP, GRASP])).write(
        tmp_path, formats=["md", "html", "json"]
    )
    for name in ("md", "html"):
        text = files[name].read_text()
        assert 0 < text.index(SNIP) < text.index(GRASP) < text.index(rebuilt)
    provenance = json.loads(files["json"].read_text())["provenance"]
    assert list(provenance)[:2] == ["trained by", "report made by"]
    assert provenance["trained by"].splitlines() == [SNIP, GRASP]


def test_what_was_not_overridden_is_no_line(frame: pd.DataFrame) -> None:
    assert "overrides" not in dict(entries(frame.assign(overrides="")))
    some = ["recipe.lr=0.1"] + [""] * (len(frame) - 1)
    assert dict(entries(frame.assign(overrides=some)))["overrides"].startswith("recipe.lr=0.1 (1 runs), none (")


def test_a_solvers_time_limit_is_said_with_the_slowest_problem(frame: pd.DataFrame) -> None:
    label = "time limit of the solver"
    assert label not in dict(entries(frame))
    solved = [{"time_limit_s": 600.0, "slowest_s": seconds} for seconds in (0.5, 2.0)]
    some = cleaned(frame.assign(solver=pd.Series([*solved, *[None] * (len(frame) - 3), "?"], dtype=object)))
    assert dict(entries(some))[label] == "600 s for each problem of a search, not reached (the slowest took 2 s)"


def test_what_it_does_without_is_none_of_what_it_says(frame: pd.DataFrame) -> None:
    assert not set(UNREAD) & {*COLUMNS, "versions", "item_versions", "left_dense", "prunable", "solver"}
    records = frame.copy()
    for name in UNREAD:
        records[name] = pd.Series([{"conv": 1}] * len(frame), index=frame.index)
    assert entries(cleaned(records.drop(columns=[*UNREAD]))) == entries(cleaned(records))
