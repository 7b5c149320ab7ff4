"""How layers are called in reports, and that layers.csv has both of their names."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

import reports
from reports.layers import layer_names, rows
from reports.statistics import summarise


def named(make: Callable[..., dict], layers: dict[str, dict], model: str = "mine") -> list[str]:
    summary = summarise(pd.DataFrame([make("snip", "none", 0.9, 0, 90.0, layers=layers, model=model)]))
    return list(layer_names(summary.cells).values())


def layer(kind: str = "", kept: int = 1) -> dict:
    return {"weights": 10, "kept": kept} | ({"kind": kind} if kind else {})


def test_a_number_becomes_kind_and_place_and_a_name_stays(make_record: Callable[..., dict]) -> None:
    sequence = {"0.weight": layer("conv"), "3.weight": layer("conv"), "7.weight": layer("fc")}
    assert named(make_record, sequence) == ["conv1", "conv2", "fc3"]
    assert named(make_record, {"stage1.conv2.weight": layer("conv"), "head.weight": layer("fc")}) == [
        "stage1.conv2",
        "head",
    ]


def test_records_that_tell_no_kind_are_named_by_their_network_or_by_place(make_record: Callable[..., dict]) -> None:
    layers = {"1.weight": layer(), "3.weight": layer(), "5.weight": layer()}
    assert named(make_record, layers, "lenet_300_100") == ["fc1", "fc2", "fc3"]
    assert named(make_record, layers) == ["layer 1", "layer 2", "layer 3"]


def test_the_file_of_layers_has_both_names(make_record: Callable[..., dict], tmp_path: Path) -> None:
    frame = pd.DataFrame([make_record("snip", "none", 0.9, 0, 90.0, layers={"1.weight": layer("fc", 5)}, model="mine")])
    (row,) = rows(summarise(frame))
    assert (row["layer"], row["shown_as"], row["density"]) == ("1.weight", "fc1", 0.5)
    reports.Report(frame).write(tmp_path, formats=["csv"])
    assert "1.weight,fc1,0.5" in (tmp_path / "layers.csv").read_text(encoding="utf-8")
