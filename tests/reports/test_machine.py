"""report.json and the columns of CSV: as the schema says, and each row can be judged alone."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reports
from reports import inference
from reports.analysis import Analysis
from reports.designs import FIXED, SEQUENTIAL, Design
from reports.flat import flat
from reports.statistics import summarise

SCHEMA = json.loads(Path(reports.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))
TYPES: dict[str, Any] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "null": type(None),
    "object": dict,
    "array": list,
}


def check(value: Any, schema: Mapping[str, Any], place: str = "report") -> None:
    """The part of JSON Schema that ours uses."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_bool = isinstance(value, bool)
    if kinds:
        fits = "boolean" in kinds if is_bool else any(isinstance(value, TYPES[k]) for k in kinds if k != "boolean")
        assert fits, (place, value)
    assert value in schema.get("enum", [value]), (place, value)
    assert schema.get("const", value) == value, place
    for name in schema.get("required", []):
        assert name in value, f"{place}.{name}"
    for name, part in schema.get("properties", {}).items():
        check(value[name], part, f"{place}.{name}")
    for item in value if "items" in schema else []:
        check(item, schema["items"], f"{place}[]")


@pytest.fixture(scope="module")
def report(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    more = frame[frame["method"] == "grasp"].assign(
        method="random", last_test_accuracy=lambda rows: rows["seed"] + 70.0
    )
    where = tmp_path_factory.mktemp("report")
    path = reports.Report(pd.concat([frame, more], ignore_index=True)).write(where, formats=["json"])["json"]
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_the_file_is_as_its_schema_says(report: dict[str, Any]) -> None:
    check(report, SCHEMA)
    assert report["methods"]
    described = SCHEMA["properties"]["cells"]["items"]["properties"]
    assert all(row.keys() == described.keys() for row in report["cells"])
    described = SCHEMA["properties"]["methods"]["items"]["properties"]
    assert all(row.keys() == described.keys() for row in report["methods"])


def test_the_schema_refuses_what_is_wrong(report: dict[str, Any]) -> None:
    for wrong in ({"verdict": "perhaps"}, {"n": "5"}, {"mean": "high"}):
        with pytest.raises(AssertionError):
            check({**report, "cells": [{**report["cells"][0], **wrong}]}, SCHEMA)


def test_a_row_carries_all_that_its_verdict_rests_on(frame: pd.DataFrame) -> None:
    summary = summarise(frame, Analysis(margin=0.7))
    rows = [flat(cell, summary) for cell in summary.cells]
    compared = [row for row in rows if row["verdict"] == "equivalent"]
    assert compared
    for row in compared:
        assert (row["metric"], row["margin"], row["alpha"], row["design"]) == ("last", 0.7, 0.05, "fixed")
        assert row["p_equivalent"] < row["alpha"]  # type: ignore[operator]
    claims = pd.DataFrame(rows).dropna(subset=["claim"]).groupby("claim")["check"].nunique()
    assert (claims == 1).all()


@pytest.mark.parametrize("design", [FIXED, SEQUENTIAL])
def test_a_detectable_difference_is_found_four_times_out_of_five(design: Design) -> None:
    n, std = 8, 1.3
    size = inference.detectable(std, n, 0.05, design)
    values = np.random.default_rng(0).normal(size, std, (4000, n))
    found = inference.p_different(values.mean(1), values.std(1, ddof=1), n, design) < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.025)


def test_a_detectable_difference_needs_a_test() -> None:
    assert math.isnan(inference.detectable(0.0, 5, 0.05))
    assert math.isnan(inference.detectable(1.0, 1, 0.05))
