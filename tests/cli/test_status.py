"""The status of a results folder: counted from what is stored, with what runs and how long the rest takes."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

import reproductions
from sanity.cli import status
from sanity.cli.request import requested
from sanity.config import pairs, parse
from sanity.grid.requests import command
from sanity.run import run
from sanity.store.claims import Claims
from sanity.store.requests import Requested, remember, requests
from sanity.store.store import Store
from tests.small_runs import TINY

SETTING = ("digits", "lenet_300_100", "quick")


def cell(root: Path, key: str, **content: object) -> None:
    labels = dict(zip(("dataset", "model", "recipe"), SETTING, strict=True))
    Store(root).write(root / "cells" / f"{key}.json", {**labels, "method": "snip", "check": "none", **content})


def test_a_run_that_has_ended_is_done(tmp_path: Path) -> None:
    run({**TINY, "results_dir": str(tmp_path), "methods": "random", "checks": "none", "recipe.epochs": "1"})
    said = status.text(tmp_path)
    assert "2 of 2 cells done, 0 open, 0 failed" in said
    assert said.endswith("nothing is open")


def test_open_and_failed_cells_are_counted_named_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{number:020x}" for number in range(40)]
    remember(
        Store(tmp_path), Requested("python -m sanity.run", SETTING, {key: f"snip seed {key[-2:]}" for key in keys})
    )
    cell(tmp_path, keys[0], status="done", wall_s=90.0, search_s=10.0)
    cell(tmp_path, keys[1], status="failed", reason="OSError: no licence")
    said = status.text(tmp_path)
    assert "1 of 40 cells done, 38 open, 1 failed" in said
    assert f"failed: snip seed 01: OSError: no licence ({tmp_path / 'cells' / keys[1]}.log)" in said
    assert said.count("open: snip") == 20
    assert "and 18 more" in said
    assert "38 cells open, at most about 1 h 3 min; nothing runs now" in said
    with Claims(tmp_path).take("trainings", keys[2]) as claim:  # type: ignore[union-attr]
        assert claim.is_held()
        assert "running: process" in status.text(tmp_path)
    assert "running" not in status.text(tmp_path)


def test_two_runs_that_share_cells_count_them_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    remember(store, Requested("first", SETTING, {"a": "a", "b": "b"}))
    remember(store, Requested("second", SETTING, {"b": "b", "c": "c"}))
    remember(store, Requested("first", SETTING, {"d": "d"}))
    assert [sorted(each.cells) for each in requests(store)] in (
        [["a", "b", "d"], ["b", "c"]],
        [["b", "c"], ["a", "b", "d"]],
    )
    assert "4 cells open; how long they take is known once" in status.text(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ["seeds=0-4", "ratio=0.9,0.98", "methods=snip@lee2019", "recipe.epochs=3"],
        ["checks=reinit+random_labels,invert", "seeds=7-7", "margin=1"],
        ["max_hours=3", "snip.biases=pruned", "methods=snip"],
    ],
)
def test_the_command_asks_for_the_same_run(words: list[str]) -> None:
    config = parse(words)
    assert requested(pairs(shlex.split(command(config))[3:])).configs == (config,)


@pytest.mark.parametrize("table", reproductions.names())
def test_the_command_of_a_panel_asks_for_that_panel_alone(table: str) -> None:
    for config in requested({"reproduction": table}).configs:
        alone = replace(config, reproduction="", table_version=0)
        assert requested(pairs(shlex.split(command(config))[3:])).configs == (alone,)


def test_no_folder_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status.main([str(tmp_path / "none")]) == 2
    assert "no such folder" in capsys.readouterr().err
