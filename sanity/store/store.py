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

import logging
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanity.errors import CannotRead, UserError
from sanity.store import json_files
from sanity.store.claims import Claims
from sanity.store.files import set_aside, sweep, write_atomically
from sanity.store.identity import is_key
from sanity.store.json_files import DamagedFileError
from sanity.store.validity import problem

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)


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
        from sanity.store.tensor_files import write  # which imports torch

        self._make_way(path)
        write(path, tensors, {**(facts or {}), "place": self._place(path)})

    def facts(self, path: Path) -> dict[str, Any] | None:
        """Reads the facts in the header of the tensor file at `path`; None if it is missing or incomplete."""
        from sanity.store.tensor_files import header  # which imports torch

        facts = header(path)
        return facts if facts is not None and self._belongs(path, facts) else None

    def load(self, path: Path) -> dict[str, "Tensor"] | None:
        """Reads the tensors at `path`; None if the file is missing or damaged. Raises `CannotRead`."""
        from sanity.store.tensor_files import read  # which imports torch

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
