"""Lists the comparisons that more seeds would decide, for whoever spends seeds where they decide something."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.analysis import Analysis
from reports.comparisons import Comparison
from reports.statistics import Cell, summarise


@dataclass(frozen=True)
class OpenComparison:
    """A check (or the method itself) of which the seeds so far do not tell whether it matters.

    pairs: seeds with a run of the check and one of the control.
    needed: the seeds in all that would probably decide it; NaN where nothing is known of the spread (fewer than two
        pairs, or differences that are all equal), infinity where it is more than `inference.SEEDS_LIMIT`.
    """

    dataset: str
    model: str
    recipe: str
    method: str
    check: str
    ratio: float
    pairs: int
    needed: float

    @property
    def missing(self) -> float:
        """How many more seeds would probably decide it; NaN where `needed` is."""
        return self.needed - self.pairs


def open_comparisons(frame: pd.DataFrame, analysis: Analysis) -> list[OpenComparison]:
    """The comparisons of a frame of records that are not decided, in the order of the report.

    Decided are those that are identical, equivalent, different or not testable; not open either are those of which a
    run failed, since another seed would fail as well. What has not been run at all counts as open.

    Raises `UserError` as `summarise` does.
    """
    return [
        OpenComparison(*cell.setting, cell.method, cell.check, cell.ratio, comparison.difference.n,
                       comparison.seeds_needed)
        for cell, comparison in _comparisons(summarise(frame, analysis).cells)
        if comparison.open and not (cell.failed or cell.unusable)
    ]  # fmt: skip


def _comparisons(cells: Sequence[Cell]) -> list[tuple[Cell, Comparison]]:
    return [(cell, cell.comparison) for cell in cells if cell.comparison]
