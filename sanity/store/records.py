"""Results on disk, content-addressed: what exists is not computed again. Reading records needs no torch.

    RESULTS/tickets/KEY/    ticket.json, mask.safetensors: what a search found
    RESULTS/trainings/KEY/  record.json, curve.csv, mask.safetensors, weights.safetensors, epoch_K.safetensors
    RESULTS/cells/KEY.json  one cell of a grid: its ticket measured, and the training that it led to
    RESULTS/records.jsonl   what `pack` kept of another results directory: records without weights, which count as run

A file whose name ends in .json is written last: where it is, everything beside it is whole.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from sanity.errors import UserError
from sanity.store.files import sweep, write_atomically
from sanity.store.identity import plain

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

PACKED = "records.jsonl"


class Store:
    """A results directory."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def folder(self, kind: str, key: str) -> Path:
        """Where the files of the result `key` are."""
        return self.root / kind / key

    def read(self, path: Path) -> dict[str, Any] | None:
        """The JSON at `path`; None where there is none, or none that is whole."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
            return None
        return content if isinstance(content, dict) else None

    def write(self, path: Path, content: Mapping[str, Any]) -> None:
        """Puts `content` at `path` as JSON."""
        write_atomically(path, json.dumps(plain(content), indent=1, allow_nan=False, default=str))

    def save(self, path: Path, tensors: Mapping[str, "Tensor"]) -> None:
        """Puts named tensors at `path` as safetensors."""
        from sanity.store.tensor_files import write

        write(path, tensors)

    def load(self, path: Path) -> dict[str, "Tensor"] | None:
        """The tensors at `path`; None where there are none, or not those that were saved."""
        from sanity.store.tensor_files import read

        found = read(path)
        return None if found is None else found[0]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the directory for one run. Raises `UserError` where it cannot be written or another run holds it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"results_dir={self.root}: another run is writing there; wait for it or choose another results_dir"
            ) from None
        except OSError as error:
            raise UserError(f"results_dir={self.root}: cannot be written ({error.strerror or error})") from None
        try:
            for kind in ("trainings", "tickets", "cells"):
                sweep(self.root / kind)
            yield
        finally:
            lock.release()


def rows(root: Path | str, keys: Iterator[str] | list[str] | None = None) -> list[dict[str, Any]]:
    """One row a cell: the cell joined with the training that it led to.

    Raises `UserError` for packed records that are not whole.
    """
    store, packed = Store(root), _packed(Path(root))
    names = (
        keys if keys is not None else sorted({path.stem for path in (store.root / "cells").glob("*.json")} | {*packed})
    )
    found = []
    for name in names:
        row = _row(store, name)
        if name in packed and not (row and has_ended(row)):
            row = packed[name]
        if row is not None:
            found.append({"last_test_accuracy": None, "best_test_accuracy": None, **row, "cell": name})
    return found


def has_ended(row: Mapping[str, Any]) -> bool:
    """Whether the run of a row took place to its end, if only to diverge."""
    return row["status"] not in ("missing", "failed")


def _row(store: Store, name: str) -> dict[str, Any] | None:
    cell = store.read(store.root / "cells" / f"{name}.json")
    if cell is None or "status" in cell:  # a cell has a status of its own where it failed
        return cell
    record = store.read(store.folder("trainings", str(cell.get("training"))) / "record.json")
    return {**(record or {"status": "missing"}), **cell}


def _packed(root: Path) -> dict[str, dict[str, Any]]:
    """The rows that `pack` put at `root`, by cell."""
    path = root / PACKED
    try:
        state = path.stat()
    except OSError:
        return {}
    return _unpacked(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _unpacked(path: Path, _changed: int, _size: int) -> dict[str, dict[str, Any]]:
    """Raises `UserError` for a file that is not whole: it was copied or merged by hand, so nobody else can mend it."""
    found: dict[str, dict[str, Any]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            name, _ = str(row["cell"]), row["status"]
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}: line {number} is no record") from None
        if found.setdefault(name, row) != row:
            raise UserError(f"{path}: line {number} is a second record of the cell {name}")
    return found


def pack(root: Path | str, directory: Path | str) -> Path:
    """Keeps what was measured at `root` as DIRECTORY/records.jsonl, a line a run that ended.

    Of a curve the test accuracies are kept. A directory with this file is a results directory: a run there goes on.
    What the file held before and `root` does not have stays in it. Raises `UserError` where nothing has ended yet and
    for packed records that are not whole, `CannotWrite` where the file cannot be written.
    """
    both = {row["cell"]: row for row in [*_packed(Path(directory)).values(), *rows(root)] if has_ended(row)}
    ended = list(both.values())
    if not ended:
        raise UserError(f"results_dir={root}: holds no run that has ended")
    ended.sort(key=_place)
    lines = [json.dumps(plain({**row, "curve": _accuracies(row.get("curve"))}), allow_nan=False) for row in ended]
    path = Path(directory) / PACKED
    write_atomically(path, "\n".join(lines) + "\n")
    return path


def _place(row: Mapping[str, Any]) -> list[str]:
    """What rows are sorted by, so that the same records come in the same order from every folder."""
    order = ("dataset", "model", "recipe", "method", "check", "ratio", "seed", "cell")
    return [str(row.get(key)) for key in order]


def _accuracies(curve: Any) -> Any:
    """The test accuracies of a curve, in percent to six places; a curve that is packed already stays."""
    if curve and isinstance(curve[0], Mapping):
        return [round(row["test_accuracy"], 6) for row in curve]
    return curve


def load_records(root: Path | str) -> "pd.DataFrame":
    """Every record of a results directory as a frame, one row a cell, sorted by what the cells are.

    Raises `UserError` where the directory holds none, and for packed records that are not whole.
    """
    import pandas as pd

    found = sorted(rows(root), key=_place)
    if not found:
        raise UserError(f"results_dir={root}: holds no records; run `python -m sanity.run` first")
    return pd.DataFrame(found)
