"""Describes published tables and sets them beside existing records."""

from typing import Any

import pandas as pd

from reproductions import load
from reproductions.table import Reproduction
from sanity import data
from sanity.errors import UserError, unknown


def measured(name: str, dataset: str | None, records: pd.DataFrame) -> Reproduction:
    """Returns the published table `name` for records that are there, its title saying how they depart from it.

    dataset: as for a run, where the records are of another data set than the table's.
    Raises `UserError` for an unknown table or data set, and where no record is of a data set of the table.
    """
    table, departures = on_data(load(name), dataset)
    own, theirs = {panel["dataset"] for panel in table.panels}, set(records["dataset"])
    if theirs and not own & theirs:
        which = f"the records are of {', '.join(sorted(theirs))}, the table of {', '.join(sorted(own))}"
        raise UserError(f"reproduction={name}: {which}; --dataset {min(own)}:{min(theirs)} sets one for the other")
    return table.as_measured(records, departures)


def about(name: str) -> str:
    """Describes a table: its paper, what it runs, how many numbers it has. Raises `UserError` as `load`."""
    table = load(name)
    panels = [f"  {panel['model']} on {panel['dataset']}, {len(panel['seeds'])} seeds" for panel in table.panels]
    counts = f"{len(table.cells())} cells, {len(table.numbers)} with a printed number; {len(table.beyond)} printed " + (
        "numbers of no cell"
    )
    parts = [f"{name}: {table.title}", table.paper, table.description, counts, *dict.fromkeys(panels)]
    return "\n".join([*parts[:2], "", parts[2], "", *parts[3:]])


def on_data(table: Reproduction, dataset: Any) -> tuple[Reproduction, list[str]]:
    """Returns the table on `dataset`: one of its own, or another in place of its own (OURS, or TABLE'S:OURS)."""
    own = sorted({panel["dataset"] for panel in table.panels})
    theirs, colon, ours = str(dataset).rpartition(":")
    if dataset is None or (not colon and ours in own):
        return table, []
    if ours not in data.REGISTRY.names():
        raise unknown("data set", ours, {*own, *data.REGISTRY.names()})
    if not colon and len(own) > 1:
        raise UserError(
            f"dataset={ours}: the table has {', '.join(own)}; say which it stands for: dataset={own[0]}:{ours}"
        )
    theirs = theirs or own[0]
    return table.on(theirs, ours), [f"data set {ours} for {theirs}"]
