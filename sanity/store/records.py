"""Stores results on disk by the hash of their inputs, so that none is computed twice. Reading needs no torch.

    RESULTS/tickets/KEY/    ticket.json, mask.safetensors: the mask of a search
    RESULTS/trainings/KEY/  record.json, curve.csv, mask.safetensors, weights.safetensors, at_Nit.safetensors
    RESULTS/cells/KEY.json  one cell of a grid: properties of its ticket, and the key of its training
    RESULTS/cells/KEY.log   the traceback of a cell that failed
    RESULTS/runs/KEY.json   the cells that a run asks for, and its command
    RESULTS/finished/KEY.json  a request that has finished, see `sanity.grid.finished`
    RESULTS/commands.jsonl  the commands that trained the records
    RESULTS/looks.jsonl     how many seeds of each cell a report has shown, and when
    RESULTS/repeats.jsonl   which of the recorded runs were trained again, and what came out
    RESULTS/records.jsonl   written by `pack`: records without weights, which count as finished

The .json file of a folder is written last, so its existence means that the other files are complete.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanity.errors import CannotRead, UserError
from sanity.store import json_files, looks, repeats
from sanity.store.claims import Claims
from sanity.store.files import set_aside, sweep, write_atomically
from sanity.store.identity import is_key, plain
from sanity.store.json_files import DamagedFileError
from sanity.store.packed import PACKED, unpacked
from sanity.store.validity import problem

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

log = logging.getLogger(__name__)

TRAINED_HERE = "trained here"


def traceback_of(results: Path, cell: str) -> Path:
    """Returns the file that tells why a cell failed, for `failed` cells."""
    return results / "cells" / f"{cell}.log"


class Store:
    """Reads and writes the files of a results directory.

    Every file holds a digest of its content and its place, which is checked on reading. A damaged file counts as
    absent, with a line in the log, and its result is computed again.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def folder(self, kind: str, key: str) -> Path:
        """Returns the folder of the result `key`. Raises `ValueError` for text that is no key, e.g. a path."""
        if not is_key(key):
            raise ValueError(f"'{key}' is no key of a result")
        return self.root / kind / key

    def read(self, path: Path) -> dict[str, Any] | None:
        """Reads the JSON at `path`; None if it is missing or damaged. Raises `CannotRead`."""
        try:
            return json_files.read(path, self._place(path))
        except FileNotFoundError:
            return None
        except DamagedFileError as error:
            _say_once(f"{path} is damaged and is not used: it {error}")
            return None

    def record(self, key: str, expected: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Reads the record of the training `key`; None if it is missing or contradicts its own curve.

        expected: the `ticket` and `seed` that the record must have. Raises `CannotRead`.
        """
        if not is_key(key):
            return None
        path = self.folder("trainings", key) / "record.json"
        record = self.read(path)
        if record is not None and (fault := problem(record, expected)):
            _say_once(f"{path} is not used: {fault}")
            return None
        return record

    def write(self, path: Path, content: Mapping[str, Any]) -> None:
        """Writes `content` to `path` as JSON. Raises `CannotWrite`."""
        self._make_way(path)
        json_files.write(path, content, self._place(path))

    def write_text(self, path: Path, text: str) -> None:
        """Writes `text` to `path`. Raises `CannotWrite`."""
        self._make_way(path)
        write_atomically(path, text)

    def save(self, path: Path, tensors: Mapping[str, "Tensor"], facts: Mapping[str, Any] | None = None) -> None:
        """Writes named tensors to `path` as safetensors, with facts in its header. Raises `CannotWrite`."""
        from sanity.store.tensor_files import write

        self._make_way(path)
        write(path, tensors, {**(facts or {}), "place": self._place(path)})

    def facts(self, path: Path) -> dict[str, Any] | None:
        """Reads the facts in the header of the tensor file at `path`; None if it is missing or incomplete."""
        from sanity.store.tensor_files import header

        facts = header(path)
        return facts if facts is not None and self._belongs(path, facts) else None

    def load(self, path: Path) -> dict[str, "Tensor"] | None:
        """Reads the tensors at `path`; None if the file is missing or damaged. Raises `CannotRead`."""
        from sanity.store.tensor_files import read

        content = read(path)
        return content[0] if content is not None and self._belongs(path, content[1]) else None

    def is_whole(self, path: Path) -> bool:
        """Whether the tensor file at `path` has its full length; reads only the header."""
        return self.facts(path) is not None

    def _place(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name

    def _belongs(self, path: Path, facts: Mapping[str, Any]) -> bool:
        if facts.get("place", self._place(path)) == self._place(path):
            return True
        _say_once(f"{path} is not used: it was written as {facts['place']}")
        return False

    def _make_way(self, path: Path) -> None:
        """Renames files that stand where `path` needs a folder, and a folder that stands where it needs a file."""
        below = [folder for folder in reversed(path.parents) if folder != self.root and self.root in folder.parents]
        for folder in below:
            if os.path.lexists(folder) and not folder.is_dir():
                set_aside(folder)
        if path.is_dir() and not path.is_symlink():
            set_aside(path)

    def cells(self) -> list[str]:
        """Lists the keys of the cells that have a file. Raises `CannotRead`."""
        folder = self.root / "cells"
        try:
            return [name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json")]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise CannotRead(f"{folder}: {error.strerror or error}") from error

    def open(self) -> None:
        """Creates the directory and removes temporary files of killed processes; other runs may use it meanwhile.

        Raises `UserError` if the directory cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise UserError(f"results_dir={self.root}: cannot be written ({error.strerror or error})") from None
        for kind in ("trainings", "tickets", "cells"):
            sweep(self.root / kind)
        Claims(self.root).sweep()


@cache
def _say_once(line: str) -> None:
    """Logs a warning once, since a run reads the same file many times."""
    log.warning("%s", line)


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
    import pandas as pd

    from sanity.store import requests  # which reads a store

    records = sorted(rows(root), key=_place)
    if not records:
        if any((Path(root) / kind).is_dir() for kind in ("tickets", "trainings")):
            raise UserError(f"results_dir={root}: no cell has finished yet; start the same command again to go on")
        raise UserError(f"results_dir={root}: holds no records; run `python -m sanity.run` first")
    frame = requests.in_order(pd.DataFrame(records), Store(root))
    return repeats.with_repeats(looks.with_earlier(frame, root), root)
