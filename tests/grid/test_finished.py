"""A request that has finished is only read again; where anything that decides on its results differs, it is prepared.

What a start reads is `prepare`'s to tell: it is called at every start that does more than to read records.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sanity import data, store
from sanity.cli.request import requested
from sanity.config import parse
from sanity.grid import execution, finished, preparation, rounds
from sanity.grid.record import place
from sanity.run import _recalled, main
from tests.data.test_published import idx
from tests.small_runs import TINY

SMALL = {**TINY, "recipe.epochs": 1, "methods": "random", "checks": "reinit"}
WORDS = [f"{key}={value}" for key, value in SMALL.items()]
OWN = """
from torch import nn
from methods.random import Random

class Own(Random):
    pass

def net(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
"""


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was prepared, by each start."""
    calls: list[object] = []
    prepare = preparation.prepare

    def counted(*arguments: object) -> object:
        calls.append(arguments)
        return prepare(*arguments)  # type: ignore[arg-type]

    for module in (execution, rounds):
        monkeypatch.setattr(module, "prepare", counted)
    return calls


@pytest.fixture
def again(tmp_path: Path, prepared: list[object]) -> Callable[..., bool]:
    """Whether a start with these words prepares anything. It writes no report."""

    def start(*words: str) -> bool:
        prepared.clear()
        keys = dict(word.split("=", 1) for word in [*WORDS, f"results_dir={tmp_path / 'results'}", *words])
        _recalled(requested(keys), lambda: False, lambda: None)
        return bool(prepared)

    return start


@pytest.mark.parametrize("seeds", ["0,1", "auto"])
def test_a_finished_request_is_read_and_says_the_same(
    seeds: str, prepared: list[object], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keys = {**SMALL, "seeds": seeds, "results_dir": tmp_path, **({"max_seeds": 2} if seeds == "auto" else {})}
    words = [f"{key}={value}" for key, value in keys.items()]
    assert main(words) == 0
    assert prepared
    prepared.clear()
    first = capsys.readouterr().out
    pages = {path: path.read_bytes() for path in tmp_path.rglob("report.*")}
    assert main(words) == 0
    assert not prepared
    assert capsys.readouterr().out == first
    assert {path: path.read_bytes() for path in tmp_path.rglob("report.*")} == pages


def test_another_request_is_prepared(again: Callable[..., bool]) -> None:
    assert again()
    assert again("ratio=0.8")
    assert again("margin=0.7")
    assert not again()


def test_reading_needs_no_torch(again: Callable[..., bool], tmp_path: Path) -> None:
    again()
    words = [*WORDS, f"results_dir={tmp_path / 'results'}"]
    code = f"import sys; from sanity.run import main; main({words!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_whatever_differs_has_it_prepared(
    again: Callable[..., bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert again()
    results = store.Store(tmp_path / "results")
    path = next((results.root / "cells").glob("*.json"))
    content = results.read(path)
    assert content is not None
    results.write(path, {**content, "search_s": 1e3})
    assert again()  # a record is another
    assert not again()
    path.unlink()
    assert again()  # a record is not there
    assert not again()
    monkeypatch.setattr(finished, "_circumstances", lambda: "another version")
    assert again()
    assert not again()
    note = next((results.root / "finished").glob("*.json"))
    note.write_text(note.read_text()[:-20])
    assert again()  # it is damaged


def test_changed_data_are_read_anew(again: Callable[..., bool], tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    shades = np.random.default_rng(0).integers(0, 255, (100, 28, 28))
    for split in ("train", "t10k"):
        idx(folder / f"{split}-images-idx3-ubyte", shades)
        idx(folder / f"{split}-labels-idx1-ubyte", np.arange(100) % 10)
    for file in folder.iterdir():
        os.utime(file, (1, 1))
    own = ["dataset=mnist", f"data_dir={folder}", "dataset.verify=false", "dataset.limit=100", "seeds=0"]
    assert again(*own)
    assert not again(*own)
    idx(folder / "t10k-images-idx3-ubyte", 255 - shades)
    os.utime(folder / "t10k-images-idx3-ubyte", (1, 1))  # as large and as old as what it replaces
    assert again(*own)
    assert not again(*own)
    (folder / "MNIST" / "raw").mkdir(parents=True)
    idx(folder / "MNIST" / "raw" / "train-labels-idx1-ubyte", np.arange(100) % 10)
    assert again(*own)  # a file has come that is looked for first


@pytest.mark.parametrize("words", [["methods=mine.py:Own"], ["methods=random", "model=mine.py:net"]])
def test_code_of_ones_own_is_always_prepared(
    words: list[str], again: Callable[..., bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert again("seeds=0", *words)
    assert again("seeds=0", *words)


def test_a_failed_cell_is_tried_again(tmp_path: Path) -> None:
    asked = finished.Request([parse([*WORDS, f"results_dir={tmp_path}"])])
    asked.remember([{"cell": "0" * 20, "status": "failed"}], "")
    assert asked.recall() is None
    assert not any(tmp_path.iterdir())


def test_all_columns_of_a_place_are_remembered() -> None:
    experiment, cells = preparation.prepare(parse(WORDS))
    assert {name for cell in cells for name in place(cell, experiment)} <= {*finished.PLACE}


def test_the_files_of_every_small_data_set_are_known(tmp_path: Path) -> None:
    for name in ("digits", "mnist", "fashion_mnist", "cifar10", "cifar100"):
        assert data.REGISTRY.load(name)().files(tmp_path)
    assert data.REGISTRY.load("imagefolder")().files(tmp_path) is None


def test_what_is_remembered_is_small(again: Callable[..., bool], tmp_path: Path) -> None:
    again("seeds=0")
    (path,) = (tmp_path / "results" / "finished").iterdir()
    assert len(json.loads(path.read_text())["cells"]) == 2
    assert path.stat().st_size < 5000


@pytest.mark.parametrize(("check", "is_known"), [("random_labels+reinit", True), ("transfer+reinit", False)])
def test_a_check_that_reads_other_data_is_always_prepared(check: str, is_known: bool, tmp_path: Path) -> None:
    """Their files are not among those of the run's data, so that another copy of them would not be noticed."""
    asked = finished.Request([parse([*WORDS[:-1], f"checks={check}", f"results_dir={tmp_path}"])])
    asked.remember([], "")
    assert (asked.recall() is not None) == is_known


def test_code_that_changed_while_a_run_lasted_is_not_taken_for_that_which_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [parse([*WORDS, f"results_dir={tmp_path}"])]
    with monkeypatch.context() as before:
        before.setattr(finished, "_circumstances", lambda: "as it was at the start")
        asked = finished.Request(configs)
    asked.remember([], "")
    assert finished.Request(configs).recall() is None
    assert asked.recall() is not None
