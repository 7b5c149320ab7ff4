"""Remembers which recorded runs were trained again, and what came out: RESULTS/repeats.jsonl, a line a run.

Records that others made are claims until some of them are trained again; that stays with the records. A line counts
for the record whose weights it names, so that another record of the same cell does not inherit it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanity.store import json_lines
from sanity.store.files import append_line, write_atomically

if TYPE_CHECKING:
    import pandas as pd

REPEATS = "repeats.jsonl"


@dataclass(frozen=True)
class Repeat:
    """A recorded run that was trained again.

    cell: its key. recorded, again: digests of the trained weights, then and now. last_test_accuracy,
    best_test_accuracy: in percent, now. device: where, and with how many threads. date: when it started.
    """

    cell: str
    recorded: str
    again: str
    last_test_accuracy: float
    best_test_accuracy: float
    device: str
    date: str

    @property
    def is_equal(self) -> bool:
        """Whether the weights are equal bit for bit."""
        return self.again == self.recorded


def repeat_of(record: Mapping[Any, Any], again: Mapping[Any, Any]) -> Repeat:
    """The repeat that the record of a second training tells."""
    content = {**again, "cell": record["cell"], "recorded": record["digest"], "again": again["digest"]}
    return _repeat({**content, "date": again["started"]})


def remember(repeat: Repeat, root: Path | str) -> None:
    """Adds a line for a run that was trained again. Raises `CannotWrite`."""
    append_line(Path(root) / REPEATS, json.dumps(asdict(repeat), ensure_ascii=False))


def with_repeats(frame: "pd.DataFrame", root: Path | str) -> "pd.DataFrame":
    """The frame with a column `trained_again`: the last `Repeat` of a row's run; None where there is none.

    Raises `CannotRead`.
    """
    repeats = {(repeat.cell, repeat.recorded): repeat for _, repeat in _lines(root)}
    if not repeats:
        return frame
    digests = frame["digest"] if "digest" in frame.columns else [None] * len(frame)
    of_rows: list[Any] = [repeats.get(names) for names in zip(frame["cell"], digests, strict=True)]
    return frame.assign(trained_again=of_rows)


def carry(root: Path | str, directory: Path | str) -> Path | None:
    """Copies the repeats of `root` to another directory, whose own stay. Returns the file; None if there are none.

    Raises `CannotRead`, `CannotWrite`.
    """
    lines = dict.fromkeys(line for folder in (directory, root) for line, _ in _lines(folder))
    if not lines:
        return None
    path = Path(directory) / REPEATS
    write_atomically(path, "".join(f"{line}\n" for line in lines))
    return path


def _lines(root: Path | str) -> list[tuple[str, Repeat]]:
    return json_lines.read(Path(root) / REPEATS, _repeat, "repeat")


def _repeat(content: Any) -> Repeat:
    texts = {name: str(content[name]) for name in ("cell", "recorded", "again", "device", "date")}
    last, best = float(content["last_test_accuracy"]), float(content["best_test_accuracy"])
    return Repeat(**texts, last_test_accuracy=last, best_test_accuracy=best)
