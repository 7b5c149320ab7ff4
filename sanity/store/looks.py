"""Remembers with how many seeds each cell of a grid was reported: RESULTS/looks.jsonl, a line a look.

A fixed number of seeds is one that was chosen before any result was seen. The store can tell: a report of cells that
were reported before with fewer seeds is one of several looks.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanity.store import json_lines
from sanity.store.files import append_line
from sanity.store.identity import identity

if TYPE_CHECKING:
    import pandas as pd

LOOKS = "looks.jsonl"
CELL = ("dataset", "model", "recipe", "method", "check", "ratio")
SETTINGS = ("overrides", "recipe_in_full", "init", "precision", "data_digest")
FEWEST = 2  # seeds that allow a verdict: a look at fewer cannot have ended anything


def remember(frame: "pd.DataFrame", root: Path | str) -> None:
    """Adds a line for a report of `frame`; none where every cell was reported with as many seeds before.

    Raises `CannotRead`, `CannotWrite`.
    """
    earlier = _earlier(root)
    new = {name: n for name, n in _seeds(frame).items() if n >= FEWEST and n not in earlier.get(name, ())}
    if not new:
        return
    date = datetime.now(UTC).isoformat(timespec="seconds")
    append_line(Path(root) / LOOKS, json.dumps({"date": date, "seeds": new}))


def with_earlier(frame: "pd.DataFrame", root: Path | str) -> "pd.DataFrame":
    """The frame with a column `earlier_look`: the fewest seeds with which a row's cell was reported; NaN for never.

    Raises `CannotRead`.
    """
    earlier = _earlier(root)
    fewest = [min(earlier.get(name, ()), default=float("nan")) for name in _names(frame)]
    return frame.assign(earlier_look=fewest)


def _earlier(root: Path | str) -> dict[str, set[int]]:
    """The numbers of seeds with which each cell was reported."""
    earlier: dict[str, set[int]] = {}
    for _, seeds in json_lines.read(Path(root) / LOOKS, _look, "look"):
        for name, n in seeds.items():
            earlier.setdefault(name, set()).add(n)
    return earlier


def _look(content: Any) -> dict[str, int]:
    return {name: int(n) for name, n in content["seeds"].items()}


def _seeds(frame: "pd.DataFrame") -> dict[str, int]:
    """How many seeds of each cell have ended."""
    ended = frame[frame["status"].isin(["done", "diverged"])]
    seeds: dict[str, set[Any]] = {}
    for name, seed in zip(_names(ended), ended["seed"], strict=True):
        seeds.setdefault(name, set()).add(seed)
    return {name: len(of) for name, of in seeds.items()}


def _names(frame: "pd.DataFrame") -> Iterator[str]:
    """A name for the cell of each row: its labels, and a hash of the settings, which leaves out the seed."""
    cells = _columns(frame, CELL)
    for cell, settings in zip(cells, _columns(frame, SETTINGS), strict=True):
        yield f"{' '.join(map(str, cell))} {identity({'settings': list(map(str, settings))})[:8]}"


def _columns(frame: "pd.DataFrame", names: Iterable[str]) -> list[tuple[Any, ...]]:
    return list(frame.reindex(columns=list(names)).itertuples(index=False, name=None))
