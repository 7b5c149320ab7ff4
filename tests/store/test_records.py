"""Identities that stay, files that are whole or absent, records that anyone can read back."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import methods
from sanity import recipes
from sanity.errors import CannotWrite, UserError
from sanity.recipes import Recipe
from sanity.store.files import write_atomically
from sanity.store.identity import differing, identity
from sanity.store.processes import current
from sanity.store.records import load_records
from sanity.store.store import Store
from sanity.store.tensor_files import is_whole


def test_identities_do_not_change_by_accident() -> None:
    """What people have stored must be found again: these names are literal."""
    assert identity({"method": ["snip", {}], "ratio": 0.98, "seed": 0}) == "eb1b813ae5f928c9419e"
    assert identity({"seed": 0, "ratio": 0.98, "method": ("snip", {})}) == "eb1b813ae5f928c9419e"
    assert identity({"method": ["snip", {}], "ratio": 0.98, "seed": 1}) != "eb1b813ae5f928c9419e"


def test_only_what_differs_from_the_default_counts() -> None:
    assert differing(methods.get("snip")) == {}
    assert differing(methods.get("snip", batch_norm="batch")) == {}
    assert differing(methods.get("snip", batch_norm="running")) == {"batch_norm": "running"}
    assert differing(Recipe()) == {}
    assert differing(recipes.get("su2020", "vgg19", "cifar10"))["batch_size"] == 64


@dataclass
class Older:
    ratio: float = 0.5


@dataclass
class Newer:
    ratio: float = 0.5
    added_later: str = "neutral"


def test_a_new_option_with_a_neutral_default_changes_no_identity() -> None:
    assert identity(differing(Older(0.9))) == identity(differing(Newer(0.9)))


def test_a_crash_while_writing_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, "old")

    def crash(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", crash)
    with pytest.raises(CannotWrite, match=r"record\.json: No space left on device"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_finite_is_stored_as_null(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(tmp_path / "a.json", {"loss": float("nan"), "curve": [{"loss": float("inf")}]})
    content = json.loads((tmp_path / "a.json").read_text())
    assert content.pop("checksum")
    assert content == {"loss": None, "curve": [{"loss": None}]}


def test_a_damaged_file_counts_as_absent(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(tmp_path / "mask.safetensors", {"w": torch.arange(1000)})
    assert is_whole(tmp_path / "mask.safetensors")
    (tmp_path / "mask.safetensors").write_bytes((tmp_path / "mask.safetensors").read_bytes()[:-1])
    (tmp_path / "record.json").write_text('{"status": "do')
    assert not is_whole(tmp_path / "mask.safetensors")
    assert store.load(tmp_path / "mask.safetensors") is None
    assert store.read(tmp_path / "record.json") is None


def test_a_file_of_an_earlier_version_is_taken_as_it_is(tmp_path: Path) -> None:
    save_file({"w": torch.ones(3)}, tmp_path / "weights.safetensors")
    found = Store(tmp_path).load(tmp_path / "weights.safetensors")
    assert found is not None
    assert torch.equal(found["w"], torch.ones(3))


def test_a_sound_file_that_cannot_be_read_now_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    path = tmp_path / "weights.safetensors"
    Store(tmp_path).save(path, {"w": torch.ones(3)})
    monkeypatch.setattr("sanity.store.tensor_files.safe_open", crash)
    for look in (Store(tmp_path).load, is_whole):
        with pytest.raises(OSError, match="Too many open files"):
            look(path)


def test_what_a_killed_run_left_half_written_goes_with_the_next(tmp_path: Path) -> None:
    store, dead = Store(tmp_path), replace(current(), started=current().started + 1)
    for kind in ("trainings", "tickets"):
        store.write(tmp_path / kind / "key" / "record.json", {})
        (tmp_path / kind / "key" / f".weights.safetensors.{dead.name}.ab12cd34.half").write_bytes(b"half")
        old = tmp_path / kind / "key" / ".weights.safetensors.x1y2z3w4.half"
        old.write_bytes(b"half of an earlier version")
        os.utime(old, (0, 0))
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / ".report.md.x1y2z3w4.half").write_text("another process may be writing it")
    store.open()
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert left == ["reports/.report.md.x1y2z3w4.half", "tickets/key/record.json", "trainings/key/record.json"]


def test_a_flipped_bit_is_found_and_never_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, path = Store(tmp_path), tmp_path / "mask.safetensors"
    mask = {"w": torch.arange(1000) % 3 == 0}
    store.save(path, mask)
    found = store.load(path)
    assert found is not None
    assert torch.equal(found["w"], mask["w"])
    content = bytearray(path.read_bytes())
    content[-500] ^= 1
    path.write_bytes(content)
    assert is_whole(path)
    assert store.load(path) is None
    assert "its content does not match its digest" in caplog.text


def test_records_are_read_without_torch(tmp_path: Path) -> None:
    store, key = Store(tmp_path), identity({"of": "a"})
    store.write(tmp_path / "cells" / "a.json", {"method": "snip", "training": key, "ratio": 0.9})
    store.write(
        tmp_path / "cells" / "b.json", {"method": "snip", "training": identity({"of": "nothing"}), "ratio": 0.9}
    )
    store.write(tmp_path / "trainings" / key / "record.json", {"status": "done", "last_test_accuracy": 90.0})
    code = (
        "import sys; from sanity.store.records import load_records;"
        f"frame = load_records({str(tmp_path)!r}); assert 'torch' not in sys.modules; print(list(frame['status']))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "['done', 'missing']"


def test_a_directory_without_records_is_a_clear_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no records"):
        load_records(tmp_path)
