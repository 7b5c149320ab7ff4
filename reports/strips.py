"""The verdicts of one method and check over many sparsities as a strip of squares, each leading to its row."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from reports.sentences import change
from reports.statistics import Cell
from reports.text import say
from reports.wording import SYMBOLS, method_name, percent, verdict_name


@dataclass(frozen=True)
class Square:
    """One comparison: its verdict, the words for it (ratio, verdict, difference, runs) and the row that it leads to."""

    verdict: str
    text: str
    row: str

    @property
    def sign(self) -> str:
        """A single sign; what is likely bears that of what is sure, on a paler ground."""
        return SYMBOLS[self.verdict][0]


@dataclass(frozen=True)
class StripRow:
    """A method and the squares of each check, in the order of the checks; none: the check is not in the grid."""

    method: str
    strips: tuple[tuple[Square, ...], ...]


def row_of(cell: Cell) -> str:
    """The name of a cell's row in the table of all cells, which links lead to; the same in every report of it."""
    key = "\n".join([*cell.setting, cell.method, cell.check, f"{cell.ratio:.9f}"])
    return f"c{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def strip(cells: Sequence[Cell]) -> tuple[Square, ...]:
    """A square for each cell that is compared, sparsities ascending."""
    return tuple(Square(cell.comparison.verdict, _words(cell), row_of(cell)) for cell in cells if cell.comparison)


def strip_rows(cells: Sequence[Cell], checks: Sequence[str]) -> tuple[StripRow, ...]:
    """A row for each method of the compared `cells`, with a strip for each of `checks`; without what was never run."""
    there = [cell for cell in cells if cell.comparison and cell.comparison.verdict != "missing"]
    ran = {(cell.method, cell.ratio) for cell in there}
    methods: dict[str, list[Cell]] = {}
    for cell in cells:
        if (cell.method, cell.ratio) in ran:
            methods.setdefault(cell.method, []).append(cell)
    return tuple(
        StripRow(method_name(method), tuple(strip([cell for cell in part if cell.check == check]) for check in checks))
        for method, part in methods.items()
    )


def _words(cell: Cell) -> str:
    comparison = cell.compared
    name, ratio, n = verdict_name(comparison.verdict), percent(round(cell.ratio, 3)), comparison.difference.n
    if comparison.verdict in ("identical", "missing"):
        return say("square.bare", ratio=ratio, verdict=name)
    return say("square.full", ratio=ratio, verdict=name, change=change([cell]), n=n)
