"""Damaged, exchanged and unreadable files are never believed: they are told, and made again where a run can."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sanity.errors import CannotRead, UserError
from sanity.store import json_files
from sanity.store.identity import identity
from sanity.store.packed import PACKED
from sanity.store.records import load_records, pack, rows
from sanity.store.store import Store
from sanity.store.validity import problem
from tests.small_runs import Start

KEYS = [identity({"training": number}) for number in range(2)]
RECORD: dict[str, Any] = {
    "status": "done", "ticket": "t0", "seed": 0, "last_test_accuracy": 90.5, "best_test_accuracy": 91.25,
    "curve": [{"epoch": 1, "test_accuracy": 91.25}, {"epoch": 2, "test_accuracy": 90.5}],
}  # fmt: skip


def stored(root: Path, *, cells: int = 2) -> Store:
    """So many cells, each with a training of its own."""
    store = Store(root)
    for number, key in enumerate(KEYS[:cells]):
        own = {"ticket": f"t{number}", "seed": number}
        store.write(root / "cells" / f"{number}.json", {"method": "snip", "training": key, **own})
        store.write(root / "trainings" / key / "record.json", {**RECORD, **own})
    return store


def statuses(root: Path) -> list[str]:
    return [row["status"] for row in rows(root)]


def exchange(first: Path, second: Path) -> None:
    first.rename(first.with_suffix(".aside"))
    second.rename(first)
    first.with_suffix(".aside").rename(second)


def without_checksum(path: Path) -> None:
    """As an earlier version wrote it."""
    content = json.loads(path.read_text())
    del content["checksum"]
    path.write_text(json.dumps(content))


def test_no_flipped_bit_changes_what_is_read(tmp_path: Path) -> None:
    store = stored(tmp_path, cells=1)
    path = tmp_path / "trainings" / KEYS[0] / "record.json"
    content = path.read_bytes()
    name = content.index(b'"checksum"')
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        entries = store.read(path)
        if name < place < name + 9 and entries is not None:  # then it is one of an earlier version, with one key more
            entries = {key: entries[key] for key in RECORD}
        assert entries in (None, RECORD)


@pytest.mark.parametrize("kind", ["cells", "trainings"])
@pytest.mark.parametrize("earlier", [False, True])
def test_exchanged_records_are_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, earlier: bool
) -> None:
    stored(tmp_path)
    paths = [tmp_path / "cells" / f"{number}.json" for number in range(2)]
    if kind == "trainings":
        paths = [tmp_path / kind / key / "record.json" for key in KEYS]
    if earlier:
        for path in tmp_path.rglob("*.json"):
            without_checksum(path)
    assert statuses(tmp_path) == ["done", "done"]
    exchange(*paths)
    if kind == "trainings":
        assert statuses(tmp_path) == ["missing", "missing"]
        assert "is not used: its ticket is not that of the cell" in caplog.text or not earlier
    elif not earlier:
        assert statuses(tmp_path) == ["unreadable", "unreadable"]
        assert "does not match its checksum" in caplog.text


def test_exchanged_masks_are_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    paths = [store.folder("tickets", key) / "mask.safetensors" for key in KEYS]
    for number, path in enumerate(paths):
        store.save(path, {"w": torch.tensor([number])})
    exchange(*paths)
    assert [store.load(path) for path in paths] == [None, None]
    assert not any(store.is_whole(path) for path in paths)
    assert f"it was written as tickets/{KEYS[1]}/mask.safetensors" in caplog.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"last_test_accuracy": 250.0}, "last_test_accuracy=250.0 is no percentage"),
        ({"best_test_accuracy": -3}, "best_test_accuracy=-3 is no percentage"),
        ({"last_test_accuracy": "90.5"}, "last_test_accuracy=90.5 is no percentage"),
        ({"last_test_accuracy": 90.75}, "last_test_accuracy=90.75, but its curve ends at 90.5"),
        ({"best_test_accuracy": 92.0}, "best_test_accuracy=92.0, but the best of its curve is 91.25"),
        ({"curve": [{"epoch": 1}]}, "its curve holds what is no accuracy"),
        ({"curve": [["a"]]}, "its curve holds what is no accuracy"),
        ({"curve": 3}, "its curve holds what is no accuracy"),
        ({"status": None}, "it has no status"),
    ],
)
def test_a_record_must_agree_with_itself(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    assert problem(RECORD) == ""
    assert problem({**RECORD, **change}) == says
    store = stored(tmp_path, cells=1)
    store.write(store.folder("trainings", KEYS[0]) / "record.json", {**RECORD, **change})
    assert statuses(tmp_path) == ["missing"]


def test_a_training_that_diverged_has_no_last_accuracy() -> None:
    assert problem({**RECORD, "status": "diverged", "last_test_accuracy": None, "diverged_epoch": 3}) == ""


def test_a_packed_record_must_agree_with_its_curve(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored(tmp_path / "one")
    path = pack(tmp_path / "one", tmp_path / "two")
    path.write_text(path.read_text().replace('"last_test_accuracy": 90.5', '"last_test_accuracy": 99.5', 1))
    assert statuses(tmp_path / "two") == ["unreadable", "done"]
    assert "records.jsonl: line 1 is not used: last_test_accuracy=99.5, but its curve ends at 90.5" in caplog.text


def test_rows_say_where_they_come_from(tmp_path: Path) -> None:
    stored(tmp_path / "one")
    path = pack(tmp_path / "one", tmp_path / "two")
    assert "origin" not in path.read_text()
    assert {row["origin"] for row in rows(tmp_path / "one")} == {"trained here"}
    assert {row["origin"] for row in rows(tmp_path / "two")} == {"packed"}
    stored(tmp_path / "two", cells=1)
    assert [row["origin"] for row in rows(tmp_path / "two")] == ["trained here", "packed"]


@pytest.mark.parametrize("elsewhere", ["../../outside", "/outside", "..", "", "A" * 20])
def test_a_record_outside_the_results_directory_is_not_read(tmp_path: Path, elsewhere: str) -> None:
    store = stored(tmp_path / "results", cells=1)
    outside = str(tmp_path / "outside") if elsewhere == "/outside" else elsewhere
    for folder in (
        tmp_path / "outside",
        tmp_path / "results",
        tmp_path / "results" / "trainings" / elsewhere.strip("/"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").write_text(json.dumps(RECORD))
    store.write(tmp_path / "results" / "cells" / "0.json", {"method": "snip", "training": outside})
    assert statuses(tmp_path / "results") == ["missing"]
    with pytest.raises(ValueError, match="is no key"):
        store.folder("trainings", outside)


def folder(path: Path) -> None:
    path.mkdir()
    (path / "within").touch()


KINDS: dict[str, Callable[[Path], object]] = {
    "folder": folder,
    "loop": lambda path: path.symlink_to(path.name),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "device": lambda path: path.symlink_to("/dev/null"),
    "pipe": lambda path: os.mkfifo(path),
    "half": lambda path: path.write_bytes(b'{"status": "do'),
    "empty": lambda path: path.touch(),
    "nested": lambda path: path.write_text("[" * 200_000),
    "list": lambda path: path.write_text("[1]"),
}


def replace_by(kind: str, path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    KINDS[kind](path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_that_cannot_be_read_is_a_row(tmp_path: Path, kind: str) -> None:
    stored(tmp_path)
    replace_by(kind, tmp_path / "cells" / "0.json")
    assert [(row["cell"], row["status"]) for row in rows(tmp_path)] == [("0", "unreadable"), ("1", "done")]
    replace_by(kind, tmp_path / "trainings" / KEYS[1] / "record.json")
    assert statuses(tmp_path) == ["unreadable", "missing"]
    stored(tmp_path)
    assert statuses(tmp_path) == ["done", "done"]
    assert bool(list(tmp_path.glob("cells/0.json.damaged-1/within"))) is (kind == "folder")


@pytest.mark.parametrize("kind", ["folder", "loop", "pipe", "half"])
def test_a_run_makes_again_what_is_damaged(tmp_path: Path, start: Start, kind: str) -> None:
    words = {"seeds": "0", "checks": "layerwise_rearrange", "recipe__epochs": "1"}
    assert start(**words) == 0
    accuracies = list(load_records(tmp_path / "results")["last_test_accuracy"])
    for path in [*tmp_path.glob("results/cells/*"), *tmp_path.glob("results/t*/*/*.*")]:
        replace_by(kind, path)
    assert start(**words) == 0
    frame = load_records(tmp_path / "results")
    assert list(frame["status"]) == ["done", "done"]
    assert list(frame["last_test_accuracy"]) == accuracies


@pytest.mark.parametrize("where", ["[ct]*s", "trainings/*", "tickets/*"])
def test_a_run_makes_again_what_stands_in_a_folder_that_is_a_file(tmp_path: Path, start: Start, where: str) -> None:
    words = {"seeds": "0", "checks": "none", "recipe__epochs": "1"}
    assert start(**words) == 0
    for path in tmp_path.glob(f"results/{where}"):
        shutil.rmtree(path)
        path.touch()
    shutil.rmtree(tmp_path / "results" / "cells", ignore_errors=True)
    assert start(**words) == 0
    assert list(load_records(tmp_path / "results")["status"]) == ["done"]


def test_a_disk_that_fails_is_told_and_the_file_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(tmp_path)
    read = Path.read_bytes

    def fail(path: Path) -> bytes:
        if path.name == "0.json":
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fail)
    assert statuses(tmp_path) == ["unreadable", "done"]


def test_a_sound_file_that_may_not_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not be made again: the same command works once the rights are there."""
    stored(tmp_path)

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CannotRead, match=r"cells/0\.json: Permission denied"):
        rows(tmp_path)


def test_a_list_of_cells_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> list[str]:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(CannotRead, match="cells: Input/output error"):
        rows(tmp_path)


def test_a_file_of_an_earlier_version_is_taken_as_it_is(tmp_path: Path) -> None:
    stored(tmp_path)
    for path in tmp_path.rglob("*.json"):
        without_checksum(path)
    assert statuses(tmp_path) == ["done", "done"]


def test_a_checksum_is_over_what_is_read_back(tmp_path: Path) -> None:
    """Numbers, unusual text and what JSON does not have survive a round trip."""
    content = {"pi": 3.14159265358979, "third": 1 / 3, "big": 10**30, "text": "\udc80 é", "path": Path("a"), "t": (1,)}
    json_files.write(tmp_path / "a.json", content, "a.json")
    assert json_files.read(tmp_path / "a.json", "a.json") == {**content, "path": "a", "t": [1]}
    with pytest.raises(json_files.DamagedFileError):
        json_files.read(tmp_path / "a.json", "b.json")


def test_deeply_nested_packed_records_are_no_record(tmp_path: Path) -> None:
    (tmp_path / PACKED).write_text("[" * 200_000)
    with pytest.raises(UserError, match="line 1 is no record"):
        rows(tmp_path)
