"""Loads the records that were measured of a reference set."""

from typing import TYPE_CHECKING

from reproductions import reference
from sanity.errors import UserError
from sanity.store import PACKED, load_records

if TYPE_CHECKING:
    import pandas as pd


def load(name: str) -> "pd.DataFrame":
    """Returns the records of a set, one row per cell and seed; the columns are those of `sanity.run.run`.

    Raises `UserError` for an unknown name, and where nothing of the set was measured yet.
    """
    reference.declaration(name)
    folder = reference.HERE / name
    if not (folder / PACKED).exists():
        raise UserError(f"reference={name}: nothing of it was measured yet; python -m sanity.run reference={name}")
    return load_records(folder)
