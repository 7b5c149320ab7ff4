"""The page of published tables: every table with its counts, and what was run of it."""

import re
import shlex
from pathlib import Path

import pytest

import reproductions
from sanity.cli.request import requested
from sanity.config import pairs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells[1:]
    for cells in ([cell.strip(" `") for cell in line.strip("|").split("|")] for line in PAGE.splitlines())
    if len(cells) == 5 and cells[0] in reproductions.names()
}
COMMANDS = re.findall(r"^ +python -m sanity\.run (reproduction=.*)$", PAGE.replace("\\\n", " "), re.MULTILINE)


@pytest.mark.parametrize("name", reproductions.names())
def test_a_table_stands_there_with_its_counts(name: str) -> None:
    table = reproductions.load(name)
    models = dict.fromkeys(panel["model"] for panel in table.panels)
    networks, cells, numbers, _ = ROWS[name]
    assert networks == ", ".join(f"`{model}`" for model in models).strip("`")
    assert (int(cells), numbers) == (len(table.cells()), f"{len(table.numbers)} + {len(table.beyond)}")


def test_what_was_run_is_what_the_page_says() -> None:
    measured = {name for name in ROWS if (ROOT / "reproductions" / "measured" / name).exists()}
    assert {name for name, row in ROWS.items() if row[-1] == "measured"} == measured
    commanded = {shlex.split(command)[0].partition("=")[2] for command in COMMANDS}
    assert {name for name, row in ROWS.items() if row[-1] == "in part"} <= commanded


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_are_runs_of_their_tables(command: str) -> None:
    assert requested(pairs(shlex.split(command))).configs
