"""Runs `python -m sanity.status RESULTS`: what is done, open and failed there, what runs, and how long the rest takes.

Reads what runs have stored; needs no torch, and changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from sanity.console.durations import duration
from sanity.console.ending import exit_code
from sanity.console.output import printing
from sanity.console.pages import print_page
from sanity.errors import UserError
from sanity.store.claims import Claims
from sanity.store.records import has_ended, rows, traceback_of
from sanity.store.requests import Requested, requests
from sanity.store.store import Store

_SHOWN = 20  # cells of one kind that are named

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Status:
    """Where a run stands: its cells by state, and the seconds that the open ones take; None where none has ended."""

    run: Requested
    done: list[str]
    failed: list[str]
    open: list[str]
    seconds: float | None


def status(run: Requested, records: Mapping[str, Row]) -> Status:
    """Sorts the cells of a run. An open one is taken to need what others of its setting needed on average."""
    kinds: dict[str, list[str]] = {"done": [], "failed": [], "open": []}
    for key in run.cells:
        row = records.get(key)
        kind = (
            "open" if row is None else "done" if has_ended(row) else "failed" if row["status"] == "failed" else "open"
        )
        kinds[kind].append(key)
    took = [
        float(row.get("wall_s") or 0) + float(row.get("search_s") or 0)
        for row in records.values()
        if has_ended(row) and (row["dataset"], row["model"], row["recipe"]) == run.setting
    ]
    seconds = mean(took) * len(kinds["open"]) if took else None
    return Status(run, kinds["done"], kinds["failed"], kinds["open"], seconds)


def text(results: Path) -> str:
    """Writes the status of a results directory. Raises `UserError` if there is none."""
    if not results.is_dir():
        raise UserError(f"results={results}: no such folder")
    store = Store(results)
    records = {str(row["cell"]): row for row in rows(results)}
    stands = [status(run, records) for run in requests(store)]
    lines = [f"{results}: {_counts(records.values())} stored, {len(stands)} run{'s' * (len(stands) != 1)}"]
    for stand in stands:
        lines += ["", *_of_run(stand, records, results)]
    running = Claims(results).held()
    owners = Counter(running.values())
    lines += ["", *(f"running: {owner}, {held} result{'s' * (held > 1)} at a time" for owner, held in owners.items())]
    ahead = {key for stand in stands for key in stand.open}
    if not ahead:
        return "\n".join([*lines, "nothing is open"])
    return "\n".join([*lines, _ahead(stands, len(ahead), len(owners))])


def _of_run(stand: Status, records: Mapping[str, Row], results: Path) -> list[str]:
    cells = stand.run.cells
    counts = f"{len(stand.done)} of {len(cells)} cells done, {len(stand.open)} open, {len(stand.failed)} failed"
    lines = [stand.run.command, f"  {counts}"]
    reasons = [
        f"  failed: {cells[key]}: {records[key]['reason']} ({traceback_of(results, key)})" for key in stand.failed
    ]
    return [*lines, *_cut(reasons), *_cut([f"  open: {cells[key]}" for key in stand.open])]


def _ahead(stands: Iterable[Status], cells: int, processes: int) -> str:
    """Says how long the open cells take: those of several runs once, which the largest run's pace stands for."""
    stands = [stand for stand in stands if stand.open]
    known = [stand for stand in stands if stand.seconds is not None]
    if not known:
        return f"{cells} cells open; how long they take is known once one of their setting has ended"
    seconds = sum(stand.seconds or 0 for stand in known) / sum(len(stand.open) for stand in known) * cells
    shared = f" with the {processes} processes that run" if processes > 1 else "" if processes else "; nothing runs now"
    return f"{cells} cells open, at most about {duration(seconds / max(processes, 1))}{shared}"


def _cut(lines: Sequence[str]) -> list[str]:
    further = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"  ... and {further} more"] if further > 0 else [])]


def _counts(records: Iterable[Row]) -> str:
    states = Counter("done" if has_ended(row) else str(row["status"]) for row in records)
    return ", ".join(f"{count} {state}" for state, count in states.items()) or "nothing"


USAGE = "python -m sanity.status RESULTS: what is done, open and failed in a results folder"


def main(words: Sequence[str]) -> int:
    """Prints the status. Returns 0; 2, with one line, for a mistake."""
    arguments = list(words)

    def show() -> int:
        if any(word in ("-h", "--help", "help") for word in arguments):
            print_page(USAGE)
            return 0
        if len(arguments) > 1:
            raise UserError(USAGE)
        said = text(Path(arguments[0] if arguments else "results"))
        with printing():
            print(said)
        return 0

    return exit_code(show)
