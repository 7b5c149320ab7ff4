"""Prints the tables of the benchmarks, within 80 columns of a pipe, and writes their figures as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from sanity.console.output import printing
from sanity.errors import UserError
from sanity.store.files import write_where_asked

WIDTH = 80  # columns of a table that is piped


def show(*parts: RenderableType) -> None:
    """Prints tables and sentences, as wide as the terminal, 80 columns where it is none. Raises `CannotPrint`."""
    console = Console()
    printed = console if console.is_terminal else Console(width=WIDTH)
    with printing():
        for part in parts:
            printed.print(part, highlight=False)


def with_file(words: Sequence[str]) -> list[str]:
    """Returns the words with `--json FILE` as json=FILE. Raises `UserError` where the file is missing."""
    joined = list(words)
    if "--json" in joined:
        place = joined.index("--json")
        if place + 1 == len(joined):
            raise UserError("--json: name the file that gets the figures")
        joined[place : place + 2] = [f"json={joined[place + 1]}"]
    return joined


def write(path: str, content: Mapping[str, Any]) -> None:
    """Writes figures as JSON. Raises `CannotWrite`."""
    write_where_asked(Path(path), json.dumps(content, indent=1) + "\n")
