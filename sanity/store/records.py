"""Reads the records of a results directory as rows, one a cell, and packs them into one file; needs no torch."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanity.errors import UserError
from sanity.store import looks, repeats, requests
from sanity.store.files import write_atomically
from sanity.store.identity import plain
from sanity.store.packed import PACKED, unpacked
from sanity.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

TRAINED_HERE = "trained here"


def traceback_of(results: Path, cell: str) -> Path:
    """Returns the file that tells why a cell failed, for `failed` cells."""
    return results / "cells" / f"{cell}.log"


def rows(root: Path | str, keys: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Returns one row per cell: its record joined with that of its training.

    keys: the cells to read; by default all. The row of a cell whose file is damaged holds only its key, the
    status `unreadable` and the reason. `origin` is "trained here", or "packed" for rows from
    records.jsonl.

    Raises `UserError` for an incomplete records.jsonl, `CannotRead` if the directory cannot be read.
    """
    store, packed = Store(root), unpacked(Path(root))
    names = keys if keys is not None else sorted({*store.cells(), *packed})
    joined = []
    for name in names:
        row = _row(store, name)
        if name in packed and not (row and has_ended(row)):
            row = packed[name]
        if row is not None:
            joined.append({"last_test_accuracy": None, "best_test_accuracy": None, **row, "cell": name})
    return joined


def has_ended(row: Mapping[str, Any]) -> bool:
    """Whether the training of a row ended or diverged."""
    return row["status"] in ("done", "diverged")


def _row(store: Store, name: str) -> dict[str, Any] | None:
    path = store.root / "cells" / f"{name}.json"
    cell = store.read(path)
    if cell is None:
        return {"status": "unreadable", "reason": f"{path} is damaged"} if os.path.lexists(path) else None
    if "status" in cell:  # only a failed cell has a status of its own
        return {**cell, "origin": TRAINED_HERE}
    record = store.record(str(cell.get("training")), cell)
    row = {**(record or {"status": "missing"}), **cell, "origin": TRAINED_HERE}
    return {**row, **row.pop("final_mask", {})}  # of a training that changed the mask: as it is at the end


def pack(root: Path | str, directory: Path | str) -> Path:
    """Writes the records of `root` to DIRECTORY/records.jsonl, one line for each run that ended.

    Of each curve only the test accuracies are kept. The directory is then a results directory that runs can continue.
    Rows that the file held before and `root` lacks stay in it. Raises `UserError` if nothing has ended yet and
    for an incomplete records.jsonl, `CannotWrite` if the file cannot be written.
    """
    both = {row["cell"]: row for row in [*unpacked(Path(directory)).values(), *rows(root)] if has_ended(row)}
    ended = list(both.values())
    if not ended:
        raise UserError(f"results_dir={root}: holds no run that has ended")
    ended.sort(key=_place)
    for row in ended:
        row.pop("origin", None)  # depends on the file that a row is read from
    lines = [json.dumps(plain({**row, "curve": _accuracies(row.get("curve"))}), allow_nan=False) for row in ended]
    path = Path(directory) / PACKED
    write_atomically(path, "\n".join(lines) + "\n")
    return path


def _place(row: Mapping[str, Any]) -> list[str]:
    """Returns the sort key of a row, so that the same records have the same order in every folder."""
    order = ("dataset", "model", "recipe", "method", "check", "ratio", "seed", "cell")
    return [str(row.get(key)) for key in order]


def _accuracies(curve: Any) -> Any:
    """Returns the test accuracies of a curve, in percent to six places; a packed curve is returned as it is."""
    if curve and isinstance(curve[0], Mapping):
        return [round(row["test_accuracy"], 6) for row in curve]
    return curve


def load_records(root: Path | str) -> "pd.DataFrame":
    """Reads every record of a results directory as a data frame, one row per cell.

    In the order in which the runs asked for their cells; those of which no run is known sorted by their settings.

    `earlier_look`: the fewest seeds with which a run's report has shown the cell, see `sanity.store.looks`.
    `trained_again`: what came out where the run was trained again, see `sanity.store.repeats`.

    Raises `UserError` if the directory holds no record, and for an incomplete records.jsonl.
    """
    import pandas as pd  # reading rows needs none

    records = sorted(rows(root), key=_place)
    if not records:
        if any((Path(root) / kind).is_dir() for kind in ("tickets", "trainings")):
            raise UserError(f"results_dir={root}: no cell has finished yet; start the same command again to go on")
        raise UserError(f"results_dir={root}: holds no records; run `python -m sanity.run` first")
    frame = requests.in_order(pd.DataFrame(records), Store(root))
    return repeats.with_repeats(looks.with_earlier(frame, root), root)
