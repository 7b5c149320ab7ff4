"""Remembers which cells each run of a results directory asks for: RESULTS/runs/KEY.json. `sanity.status` reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sanity.store.identity import identity
from sanity.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "runs"


@dataclass(frozen=True)
class Requested:
    """A run that was started: the command that goes on with it, and its cells.

    setting: data set, network and recipe as records name them. cells: key and title of each.
    """

    command: str
    setting: tuple[str, str, str]
    cells: Mapping[str, str]


def remember(store: Store, run: Requested) -> None:
    """Writes the cells of a run; those that the same run asked for before stay. Raises `CannotWrite`."""
    path = store.root / FOLDER / f"{identity({'command': run.command, 'setting': run.setting})}.json"
    before = store.read(path) or {}
    cells = {**before.get("cells", {}), **run.cells}
    if cells != before.get("cells"):
        store.write(path, {"command": run.command, "setting": list(run.setting), "cells": cells})


def requests(store: Store) -> list[Requested]:
    """Reads all runs, the first started first. Damaged files are left out. Raises `CannotRead`."""
    folder = store.root / FOLDER
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []
    return [_requested(content) for content in map(store.read, paths) if content is not None]


def in_order(frame: "pd.DataFrame", store: Store) -> "pd.DataFrame":
    """Sorts records as the runs asked for their cells; those of which no run is known stay behind them, as they were.

    frame: one row a cell, with its key in the column `cell`. Raises `CannotRead`.
    """
    places: dict[str, int] = {}
    for run in requests(store):
        for key in run.cells:
            places.setdefault(key, len(places))
    order = frame["cell"].map(lambda key: places.get(key, len(places))).sort_values(kind="stable")
    return frame.loc[order.index].reset_index(drop=True)


def _requested(content: Mapping[str, Any]) -> Requested:
    dataset, model, recipe = content["setting"]
    return Requested(content["command"], (dataset, model, recipe), content["cells"])
