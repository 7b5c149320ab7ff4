"""The overlap under another draw of the examples stands beside the other overlaps, where it was measured."""

import io
import math

import pandas as pd

from reports.content import assemble
from reports.noise_floor import noise_floors
from reports.statistics import summarise
from reports.terminal import show
from tests.reports.conftest import record


def frame(checks: dict[str, float], ratios: tuple[float, ...] = (0.9, 0.98)) -> pd.DataFrame:
    """Overlaps by check; one point lower for each further ratio."""
    return pd.DataFrame([
        record("snip", check, ratio, seed, 90.0 + seed, mask_overlap=overlap - 0.01 * place)
        for place, ratio in enumerate(ratios) for seed in range(2) for check, overlap in {"none": 1.0, **checks}.items()
    ])  # fmt: skip


def test_a_check_is_measured_by_resample_of_the_same_method_and_ratio() -> None:
    summary = summarise(frame({"resample": 0.8, "random_labels": 0.5}))
    floor = noise_floors(summary.cells)
    assert [floor(cell) for cell in summary.select(check="random_labels")] == [0.8, 0.79]
    assert all(math.isnan(floor(cell)) for name in ("none", "resample") for cell in summary.select(check=name))
    foreign = summarise(frame({"random_labels": 0.5}))
    assert all(math.isnan(noise_floors(foreign.cells)(cell)) for cell in foreign.cells)


def test_the_report_has_the_column_where_it_was_run_and_says_what_it_means() -> None:
    with_it, without = frame({"resample": 0.8, "random_labels": 0.5}), frame({"random_labels": 0.5})
    content = assemble(with_it, summarise(with_it))
    (cells,) = [table for table in content.tables if table.name == "cells"]
    column = cells.columns.index("resample")
    shown = {row[cells.columns.index("check")].text: row[column].text for row in cells.rows}
    assert shown == {"none": "", "resample": "", "random_labels": "79.0 %"}
    assert "Resample: " in content.legend
    bare = assemble(without, summarise(without))
    assert "resample" not in bare.tables[0].columns
    assert "Resample: " not in bare.legend


def test_the_terminal_has_the_column_too() -> None:
    def printed(checks: dict[str, float]) -> str:
        file = io.StringIO()
        show(summarise(frame(checks)), file)
        return file.getvalue()

    text = printed({"resample": 0.8, "random_labels": 0.5})
    rows = [line.split() for line in text.splitlines() if line.split()[:1] == ["random_labels"]]
    assert [row[-3:] for row in rows] == [["50.0", "10.0", "80.0"], ["49.0", "2.0", "79.0"]]
    assert max(map(len, text.splitlines())) <= 100
    assert "resample" not in printed({"random_labels": 0.5})
