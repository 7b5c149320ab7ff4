"""Reads the noise floor of mask overlaps: what masks share that differ by the draw of the scoring examples alone."""

import math
from collections.abc import Callable, Sequence

from reports.records import CONTROL
from reports.statistics import Cell

RESAMPLE = "resample"
"""The check that draws other examples, and changes nothing else."""


def noise_floors(cells: Sequence[Cell]) -> Callable[[Cell], float]:
    """Returns a function from a cell to the overlap under `resample` of the same method, setting and ratio.

    It gives NaN where `cells` does not have that, and for a control and for `resample` itself.
    """
    floors = {_place(cell): cell.overlap for cell in cells if cell.check == RESAMPLE}

    def of(cell: Cell) -> float:
        return math.nan if cell.check in (CONTROL, RESAMPLE) else floors.get(_place(cell), math.nan)

    return of


def _place(cell: Cell) -> tuple[object, ...]:
    return cell.setting, cell.method, cell.ratio
