"""Records without weights in one file: what they keep, what they join, and that a run goes on from them."""

import json
from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main as report
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid.plan import plan
from sanity.run import prepare, run
from sanity.store.identity import identity
from sanity.store.packed import PACKED
from sanity.store.records import load_records, pack, rows
from sanity.store.store import Store

GONE = identity({"training of": "nothing"})
TINY: dict[str, Any] = {
    "model": "lenet_300_100", "recipe.epochs": 2, "dataset.limit": 200, "dataset.test_limit": 100, "ratio": 0.9,
    "methods": "magnitude", "checks": "none", "seeds": 0, "precision": "fp32", "device": "cpu",
}  # fmt: skip


def ended(root: Path, name: str, status: str = "done", **cell: Any) -> None:
    """A cell `name` and the training that it led to."""
    store = Store(root)
    curve = [{"epoch": epoch, "test_accuracy": 90 + epoch / 7, "train_loss": 0.1} for epoch in (1, 2)]
    key = identity({"training of": name})
    store.write(root / "cells" / f"{name}.json", {"method": name, "training": key, **cell})
    store.write(root / "trainings" / key / "record.json", {"status": status, "curve": curve})


def measured(root: Path) -> None:
    ended(root, "a")
    ended(root, "b", "diverged")
    store = Store(root)
    store.write(root / "cells" / "c.json", {"method": "c", "status": "failed", "reason": "it broke"})
    store.write(root / "cells" / "d.json", {"method": "d", "training": GONE})


def test_packed_records_are_what_ended_and_count_where_they_are_put(tmp_path: Path) -> None:
    measured(tmp_path / "one")
    path = pack(tmp_path / "one", tmp_path / "two")
    found = {row["method"]: row for row in rows(tmp_path / "two")}
    assert {name: row["status"] for name, row in found.items()} == {"a": "done", "b": "diverged"}
    assert found["a"]["curve"] == [90.142857, 90.285714]
    assert [row["cell"] for row in rows(tmp_path / "two", ["b", "d"])] == ["b"]
    before = path.read_bytes()
    assert pack(tmp_path / "two", tmp_path / "two").read_bytes() == before


def test_what_is_run_after_packing_joins_what_was_packed(tmp_path: Path) -> None:
    measured(tmp_path / "one")
    pack(tmp_path / "one", tmp_path / "two")
    ended(tmp_path / "two", "e")
    Store(tmp_path / "two").write(
        tmp_path / "two" / "cells" / "a.json", {"method": "a", "training": GONE}
    )  # asked for, not run again
    pack(tmp_path / "two", tmp_path / "two")
    joined = {row["method"]: row["status"] for row in rows(tmp_path / "two")}
    assert joined == {"a": "done", "b": "diverged", "e": "done"}


def test_packing_keeps_what_the_file_held_before(tmp_path: Path) -> None:
    measured(tmp_path / "one")
    pack(tmp_path / "one", tmp_path / "kept")
    ended(tmp_path / "two", "z")
    pack(tmp_path / "two", tmp_path / "kept")
    assert {row["method"] for row in rows(tmp_path / "kept")} == {"a", "b", "z"}


def test_an_attempt_that_failed_hides_no_packed_record(tmp_path: Path) -> None:
    measured(tmp_path / "one")
    pack(tmp_path / "one", tmp_path / "two")
    Store(tmp_path / "two").write(tmp_path / "two" / "cells" / "a.json", {"method": "a", "status": "failed"})
    pack(tmp_path / "two", tmp_path / "two")
    assert {row["method"]: row["status"] for row in rows(tmp_path / "two")} == {"a": "done", "b": "diverged"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"cell": "a", "status": "done"}\n{"cell": "b", "sta', "line 2 is no record"),
        (b'{"cell": "a"}', "line 1 is no record"),
        (b"[]", "line 1 is no record"),
        (b'{"cell": "\xff", "status": "done"}', "line 1 is no record"),
        (b'{"cell": "a", "status": "done"}\n{"cell": "a", "status": "diverged"}', "line 2 is a second record"),
    ],
)
def test_packed_records_that_are_not_whole_are_a_clear_mistake(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / PACKED).write_bytes(content)
    with pytest.raises(UserError, match=says):
        load_records(tmp_path)
    assert report([str(tmp_path)]) == 2


def test_records_come_in_the_order_of_what_they_are(tmp_path: Path) -> None:
    for name, check, seed in (("k1", "reinit", 0), ("k2", "none", 1), ("k3", "none", 0)):
        ended(tmp_path / "one", name, method="snip", check=check, seed=seed)
    pack(tmp_path / "one", tmp_path / "two")
    for folder in ("one", "two"):
        assert list(load_records(tmp_path / folder)["cell"]) == ["k3", "k2", "k1"]


def test_nothing_that_ended_is_nothing_to_pack(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run that has ended"):
        pack(tmp_path / "nothing", tmp_path)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run({**TINY, "results_dir": str(tmp_path / "results")})
    (tmp_path / "kept" / PACKED).mkdir(parents=True)
    capsys.readouterr()
    words = [str(tmp_path / "results"), "--output", str(tmp_path / "kept"), "--format", "csv", "--pack", "--quiet"]
    assert report(words) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_run_goes_on_from_packed_records_without_weights(tmp_path: Path) -> None:
    run({**TINY, "checks": "layerwise_rearrange", "results_dir": str(tmp_path / "results")})
    packed = tmp_path / "packed"
    assert report([str(tmp_path / "results"), "--output", str(packed), "--format", "csv", "--pack"]) == 0
    assert {path.name for path in packed.iterdir()} == {"records.jsonl", "report.csv", "layers.csv"}
    frame = run({**TINY, "checks": "layerwise_rearrange", "seeds": [0, 1], "results_dir": str(packed)})
    trained = [json.loads(path.read_text()) for path in packed.glob("trainings/*/record.json")]
    assert {record["seed"] for record in trained} == {1}
    assert sorted(frame["seed"]) == [0, 0, 1, 1]


def test_the_plan_counts_trainings_whose_weights_are_not_there(tmp_path: Path) -> None:
    """Random labels leave magnitude's ticket alone, but the control's training cannot be shared without its files."""
    run({**TINY, "results_dir": str(tmp_path / "results")})
    pack(tmp_path / "results", tmp_path / "packed")
    for folder, ahead in (("results", 0), ("packed", 1)):
        keys = {**TINY, "checks": "random_labels", "results_dir": str(tmp_path / folder)}
        context, cells = prepare(from_mapping(keys))
        assert plan(cells, context).trainings == ahead
        run(keys)
        assert len(list((tmp_path / folder).glob("trainings/*/record.json"))) == 1
