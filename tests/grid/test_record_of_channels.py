"""The record of a ticket that lost whole channels: how long the smaller network takes, measured once a shape."""

from pathlib import Path
from unittest.mock import patch

from sanity.grid import record
from sanity.run import run
from sanity.training.speed import SpeedUp

KEYS = {
    "model": "resnet8", "model.width": 4, "recipe.epochs": 1, "dataset.limit": 100, "dataset.test_limit": 50,
    "ratio": 0.5, "seeds": "0,1", "device": "cpu", "methods": "l1_filters,magnitude", "checks": "none",
}  # fmt: skip


def test_networks_of_equal_widths_are_measured_once_and_others_never(tmp_path: Path) -> None:
    figures = SpeedUp(0.4, 0.2, 0.9, 0.3, batch=32, turns=3, precision="fp32", device="a CPU, 1 thread", threads=1)
    with patch.object(record, "speed_up", return_value=figures) as measure:
        frame = run({**KEYS, "results_dir": str(tmp_path)})
    assert measure.call_count == 1
    by_method = {method: rows["small"].tolist() for method, rows in frame.groupby("method")}
    assert [small["speed"]["small_step_s"] for small in by_method["l1_filters"]] == [0.3, 0.3]
    assert not any(isinstance(small, dict) for small in by_method["magnitude"])
