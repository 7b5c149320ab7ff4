"""Reads the records that `python -m reports` reports on, and what they are set beside."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sanity.errors import UserError
from sanity.store.records import load_records

if TYPE_CHECKING:
    import pandas as pd

REPORTS = Path("results", "reports")
"""Where the report of a stored set goes, whose own folder is part of the package."""


@dataclass(frozen=True)
class Source:
    """Records with the title of their report.

    folder: where the records are. output: where the report goes, unless the options say so.
    beside: records of a reference set, among which the methods are placed.
    """

    frame: "pd.DataFrame"
    title: str
    folder: Path
    output: Path
    beside: "pd.DataFrame | None" = None


def read_source(options: argparse.Namespace) -> Source:
    """Returns the records of a results folder, with the numbers of a table or beside those of a reference set; without
    a folder those of the reference set itself. Raises `UserError` where these cannot be had.
    """
    if options.reference:
        return _with_reference(options.results, options.reference)
    frame, title = load_records(options.results), ""
    if options.reproduction:
        from reproductions.catalog import measured  # which imports pandas

        table = measured(options.reproduction, options.dataset, frame)
        frame, title = table.attach(frame), table.title
    return Source(frame, title, options.results, options.results)


def _with_reference(results: Path | None, name: str) -> Source:
    """Returns the records of a reference set, or those of a results folder that are of its settings beside them."""
    from reports.placement import comparable  # which imports pandas
    from reproductions import reference  # which imports pydantic
    from reproductions.reference.records import load  # which imports the above

    theirs, title = load(name), str(reference.declaration(name)["title"])
    if results is None:
        return Source(theirs, title, reference.HERE / name, REPORTS / f"reference-{name}")
    own = comparable(load_records(results), theirs)
    if own.empty:
        settings = ", ".join(theirs[["dataset", "model", "recipe"]].iloc[0])
        raise UserError(
            f"--reference={name}: no record of {results} is of its data, network, recipe and settings ({settings})"
        )
    return Source(own, title, results, results, theirs)
