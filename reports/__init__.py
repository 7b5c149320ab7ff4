"""Reports: what a frame of records says, as tables, sentences and pictures. Never imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.analysis import Analysis
from reports.origin import Origin
from reports.report import FORMATS, PICTURES, Report

if TYPE_CHECKING:
    import pandas as pd

    from reports.unsettled import OpenComparison

__all__ = ["FORMATS", "PICTURES", "Analysis", "Origin", "Report", "open_comparisons"]


def open_comparisons(frame: pd.DataFrame, analysis: Analysis | None = None) -> list[OpenComparison]:
    """The comparisons of a frame of records that more seeds may decide, with the seeds that would probably do so.

    analysis: how records become verdicts; by default as in a report, with `design="sequential"`. Raises `UserError`
    where the records cannot be used.
    """
    from reports.unsettled import open_comparisons as listed  # which imports pandas

    return listed(frame, analysis or Analysis(design="sequential"))
