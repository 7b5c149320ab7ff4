"""The commands that trained records stay with them, whatever makes a report of them later."""

import json
from pathlib import Path

import pandas as pd
import pytest

from sanity.store import commands, requests
from sanity.store.store import Store

SNIP, GRASP = "python -m sanity.run methods=snip", "python -m sanity.run methods=grasp"


def test_commands_append_and_none_is_kept_twice(tmp_path: Path) -> None:
    assert commands.commands(tmp_path / "none") == []
    for command in (SNIP, GRASP, SNIP):
        commands.remember(tmp_path, command)
    assert commands.commands(tmp_path) == [SNIP, GRASP]
    lines = (tmp_path / "commands.jsonl").read_text().splitlines()
    assert all(json.loads(line)["date"].startswith("20") for line in lines)


def test_a_damaged_line_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    commands.remember(tmp_path, SNIP)
    with (tmp_path / "commands.jsonl").open("a") as file:
        file.write('{"comm\n[1]\n')
    commands.remember(tmp_path, GRASP)
    assert commands.commands(tmp_path) == [SNIP, GRASP]
    assert "line 2 is no command" in caplog.text


def test_packing_carries_the_commands_along_and_keeps_those_that_were_there(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert commands.carry(here, there) is None
    assert not there.exists()
    commands.remember(here, SNIP)
    commands.remember(there, GRASP)
    for _ in range(2):
        commands.carry(here, there)
    assert commands.commands(there) == [GRASP, SNIP]
    commands.carry(there, there)
    assert commands.commands(there) == [GRASP, SNIP]


def test_records_stand_in_the_order_in_which_runs_asked_for_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    setting = ("digits", "resnet20", "quick")
    requests.remember(store, requests.Requested(SNIP, setting, {"c": "third", "a": "first"}))
    frame = pd.DataFrame({"cell": ["a", "b", "c", "d"]})
    assert requests.in_order(frame, store)["cell"].tolist() == ["c", "a", "b", "d"]
    assert requests.in_order(frame, Store(tmp_path / "none"))["cell"].tolist() == ["a", "b", "c", "d"]
