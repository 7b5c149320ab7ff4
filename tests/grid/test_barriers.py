"""Error barriers of a grid: which trainings they compare, and that asking for them changes no other result."""

from pathlib import Path
from typing import Any

import pytest

from sanity.config import from_mapping
from sanity.grid import keys
from sanity.grid.plan import plan
from sanity.run import prepare, run
from sanity.store.records import load_records

KEYS: dict[str, Any] = {
    "methods": "snip,dense", "checks": "layerwise_rearrange,reinit", "ratio": 0.5, "seeds": 0, "model": "lenet_300_100",
    "recipe.epochs": 2, "dataset.limit": 200, "dataset.test_limit": 100, "device": "cpu", "precision": "fp32",
}  # fmt: skip
Records = dict[tuple[str, str], dict[Any, Any]]


def records_of(root: Path) -> Records:
    return {(row["method"], row["check"]): row for row in load_records(root).to_dict("records")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, Records, Path]:
    """Returns the records of a run without barriers, and of the same folder after one with barriers."""
    root = tmp_path_factory.mktemp("results")
    run({**KEYS, "results_dir": root})
    before = records_of(root)
    run({**KEYS, "outcome": "barrier", "results_dir": root})
    return before, records_of(root), root


def test_records_are_completed_and_otherwise_stay(runs: tuple[Records, Records, Path]) -> None:
    before, after, _ = runs
    assert before.keys() == after.keys()
    for name, row in before.items():
        assert "barrier_orders_test" not in row
        for field in ("cell", "training", "ticket", "last_test_accuracy", "digest"):
            assert after[name][field] == row[field]


def test_every_ticket_has_a_barrier_and_every_check_one_to_its_control(runs: tuple[Records, Records, Path]) -> None:
    _, after, _ = runs
    for (_, check), row in after.items():
        for split in ("train", "test"):
            assert 0 <= row[f"barrier_orders_{split}"] <= 100
            to_control = row[f"barrier_control_{split}"]
            assert to_control >= 0 if check != "none" else to_control != to_control
    assert after["snip", "reinit"]["barrier_control_train"] > 1  # other weights lead elsewhere


def test_a_plan_counts_the_trainings_in_another_order(runs: tuple[Records, Records, Path], tmp_path: Path) -> None:
    config = from_mapping({**KEYS, "outcome": "barrier", "results_dir": tmp_path})
    experiment, cells = prepare(config)
    ahead = plan(cells, experiment)
    assert (ahead.trainings, ahead.orders, ahead.rounds) == (8, 4, 0)
    without, _ = prepare(from_mapping({**KEYS, "results_dir": tmp_path}))
    assert [keys.cell(cell, experiment) for cell in cells] == [keys.cell(cell, without) for cell in cells]
    finished, _ = prepare(from_mapping({**KEYS, "outcome": "barrier", "results_dir": runs[2]}))
    assert plan(cells, finished).trainings == 0
