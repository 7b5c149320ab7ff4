"""Reports: what a frame of records says, as tables, sentences and pictures. Never imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from sanity.errors import UserError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from reports.statistics import Summary
    from reports.unsettled import OpenComparison

FORMATS = ("md", "html", "csv", "latex", "json")
PICTURES = ("svg", "pdf", "png")
COMPARE = ("methods", "none")


def write(
    frame: pd.DataFrame,
    directory: Path | str,
    *,
    command: str = "",
    trained_by: Sequence[str] = (),
    title: str = "",
    spent: str = "",
    formats: Sequence[str] = ("md", "html"),
    metric: str = "last",
    margin: float = 0.5,
    alpha: float = 0.05,
    design: str = "fixed",
    compare: str = "methods",
    cells: bool = False,
    figures: Sequence[str] = (),
    reference: pd.DataFrame | None = None,
    summary: Summary | None = None,
) -> dict[str, Path]:
    """Write the report of a frame of records into `directory`: report.md, .html, .csv, .tex, .json.

    `command` is what makes this report; unless `trained_by` names the commands that trained the records, it is the one
    that gives exactly these records again. `spent` says how many seeds were spent and why no more, where
    the results decided on them. `metric`: "last" or "best" test accuracy. `margin`: within
    how many percentage points two accuracies count as equivalent. `design`: "fixed", where the number of seeds was
    chosen beforehand, or "sequential", for seeds that are added as one likes. `compare`: "methods" also compares each
    method with random and with magnitude pruning, where these are among the records; "none" does not. `cells`: LaTeX
    with every table of the report, not the verdicts and claims alone. `figures`: formats ("svg", "pdf", "png") of the
    pictures, which go to the folder figures/. `reference`: records of a reference set, among which the methods are
    placed. `summary`: that of the same records (`summarised`), where it is there already and there is no `reference`.
    Its metric, margin, design and comparisons hold then. Returns the file of each format, and that folder.
    Raises `UserError` for an unknown format, metric, design or comparison, unusable records, or a directory that cannot
    be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    for name in figures:
        if name not in PICTURES:
            raise unknown("format of figures", name, PICTURES)
    from reports import content  # tests take half a second to import
    from reports.formats import FORMATS as WRITERS
    from reports.formats import latex
    from reports.placement import placement, with_baselines

    placed = None if reference is None else placement(frame, reference, metric, margin, alpha, design)
    frame = frame if reference is None else with_baselines(frame, reference)
    if summary is None or reference is not None:
        summary = summarised(frame, metric, margin, design, compare, alpha)
    report = content.assemble(frame, summary, command, title, spent, placed, trained_by)
    try:
        writers: dict[str, Callable[[content.Content, Path], Path]] = {**WRITERS, "latex": partial(latex, cells=cells)}
        files = {name: writers[name](report, Path(directory)) for name in formats}
        if figures:
            from reports import pictures  # which imports matplotlib

            files["figures"] = pictures.export(report, Path(directory), figures)
        return files
    except OSError as error:
        raise UserError(f"the report cannot be written to {directory}: {error.strerror or error}") from error


def show(
    frame: pd.DataFrame,
    file: TextIO | None = None,
    *,
    metric: str = "last",
    margin: float = 0.5,
    alpha: float = 0.05,
    design: str = "fixed",
    compare: str = "methods",
    reference: pd.DataFrame | None = None,
    summary: Summary | None = None,
    notes: Sequence[str] = (),
    files: Sequence[Path] = (),
    trained_by: Sequence[str] = (),
) -> None:
    """Print the comparison table of a frame of records to `file` (default: stdout), and the answer below it. Raises
    `UserError` as `write`.

    `reference`: records of a reference set, among which the methods are placed. `summary`: as for `write`. `notes`:
    lines between the table and the answer. `files`: what was written. `trained_by`: the commands that trained the
    records, from which those for more seeds are made.
    """
    from reports import conclusion, overview, placement, placement_shown, terminal  # which imports pandas

    placed: list[str] = []
    if reference is not None:
        placed = [*placement_shown.sentences(placement.placement(frame, reference, metric, margin, alpha, design))]
        frame = placement.with_baselines(frame, reference)
    if summary is None or reference is not None:
        summary = summarised(frame, metric, margin, design, compare, alpha)
    terminal.show(summary, file, overview.remarks(frame), placed, notes)
    conclusion.conclude(frame, summary, files, trained_by, file)


def summarised(
    frame: pd.DataFrame,
    metric: str = "last",
    margin: float = 0.5,
    design: str = "fixed",
    compare: str = "methods",
    alpha: float = 0.05,
) -> Summary:
    """Every cell of a frame of records with its comparison, as reports show it. Raises `UserError` as `write`."""
    from reports import statistics  # which imports pandas

    return statistics.summarise(frame, metric, margin, alpha, design, _methods(compare))


def _methods(compare: str) -> bool:
    """Whether methods are compared with each other. Raises `UserError` for another word."""
    if compare not in COMPARE:
        raise unknown("comparison", compare, COMPARE)
    return compare == "methods"


def open_comparisons(
    frame: pd.DataFrame,
    metric: str = "last",
    margin: float = 0.5,
    design: str = "sequential",
    alpha: float = 0.05,
) -> list[OpenComparison]:
    """The comparisons of a frame of records that more seeds may decide, with the seeds that would probably do so.

    Raises `UserError` as `write`.
    """
    from reports.unsettled import open_comparisons as listed  # which imports pandas

    return listed(frame, metric, margin, design, alpha)
