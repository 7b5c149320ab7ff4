"""Lists the published tables: grid, recipe and printed numbers. Needs no torch; naming tables needs no pandas.

A table is two files of one name: NAME.toml holds its grid as keys of `python -m sanity.run`, one panel a data set and
network, and NAME.csv, where a number was seen, the numbers as printed with where each was read. A grid that spans
several printed tables takes their numbers over, by `[[numbers]]`.
"""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanity.errors import unknown

if TYPE_CHECKING:
    from reproductions.table import Reproduction

HERE = Path(__file__).parent


def names() -> list[str]:
    """Returns the names of all tables."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def summary(name: str) -> str:
    """Returns one line about the table `name`. Raises `UserError` for an unknown name."""
    return str(declaration(name)["title"])


def listing() -> str:
    """Returns the published tables, a line each."""
    width = max(map(len, names()))
    return "\n".join(f"  {name:<{width}}  {summary(name)}" for name in names())


def declaration(name: str) -> dict[str, Any]:
    """Returns what NAME.toml says. Raises `UserError` for an unknown name."""
    if name not in names():
        raise unknown("reproduction", name, names())
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))


def version(name: str) -> int:
    """Returns the version of a table, raised where its grid or numbers change. Raises `UserError` as `declaration`."""
    return int(declaration(name).get("version", 1))


def load(name: str) -> "Reproduction":
    """Returns the table `name`. Raises `UserError` for an unknown name."""
    from reproductions.table import from_declaration  # which imports pandas

    declared = declaration(name)
    table = from_declaration(name, declared, HERE / f"{name}.csv")
    for source in declared.get("numbers", []):
        table = table.borrowing(load(source["table"]), source.get("labels", {}))
    return table
