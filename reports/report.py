"""The report of records: analysed once, then written as files, printed in the terminal, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from reports.analysis import USUAL, Analysis
from reports.origin import UNKNOWN, Origin
from sanity.errors import UserError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from reports.content import Content
    from reports.placement import Placement
    from reports.statistics import Summary

FORMATS = ("md", "html", "csv", "latex", "json")
PICTURES = ("svg", "pdf", "png")


@dataclass(frozen=True, eq=False)
class Report:
    """Holds what a report is of. Its parts are computed where they are first asked for, and once.

    records: a frame with a row for each cell of the grid, as `sanity.store.load_records` returns it.
    analysis: how they become verdicts.
    reference: records of a reference set, among which the methods are placed.
    title: what the records are, where somebody or a published table names them.
    origin: what made the records and this report.

    Whatever needs the records raises `UserError` where they cannot be used.
    """

    records: pd.DataFrame
    analysis: Analysis = USUAL
    reference: pd.DataFrame | None = None
    title: str = ""
    origin: Origin = UNKNOWN

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The records, with the dense network, random and magnitude pruning of the reference set where there is one."""
        from reports.placement import with_baselines  # which imports pandas

        return self.records if self.reference is None else with_baselines(self.records, self.reference)

    @cached_property
    def summary(self) -> Summary:
        """Every cell of the frame with its comparison."""
        from reports.statistics import summarise  # which imports pandas

        return summarise(self.frame, self.analysis)

    @cached_property
    def placement(self) -> Placement | None:
        """The methods among those of the reference set; None without one."""
        from reports.placement import placement  # which imports pandas

        return None if self.reference is None else placement(self.records, self.reference, self.analysis)

    @cached_property
    def content(self) -> Content:
        """Everything that the report says, before any format."""
        from reports.content import assemble  # which imports pandas

        return assemble(self.frame, self.summary, self.title, self.origin, self.placement)

    def write(
        self,
        directory: Path | str,
        formats: Sequence[str] = ("md", "html"),
        *,
        figures: Sequence[str] = (),
        cells: bool = False,
    ) -> dict[str, Path]:
        """Writes report.md, .html, .csv, .tex, .json into `directory`, each file whole or not at all.

        figures: formats ("svg", "pdf", "png") of the pictures, which go to the folder figures/. cells: LaTeX with every
        table of the report, not the verdicts and claims alone. Returns the file of each format, and that folder.

        Raises `UserError` for an unknown format, or a directory that cannot be written.
        """
        for name in formats:
            if name not in FORMATS:
                raise unknown("format", name, FORMATS)
        for name in figures:
            if name not in PICTURES:
                raise unknown("format of figures", name, PICTURES)
        from reports.formats import FORMATS as WRITERS  # which imports pandas
        from reports.formats import latex

        content = self.content
        try:
            writers: dict[str, Callable[[Content, Path], Path]] = {**WRITERS, "latex": partial(latex, cells=cells)}
            files = {name: writers[name](content, Path(directory)) for name in formats}
            if figures:
                from reports import pictures  # which imports matplotlib

                files["figures"] = pictures.export(content, Path(directory), figures)
            return files
        except OSError as error:
            raise UserError(f"the report cannot be written to {directory}: {error.strerror or error}") from error

    def show(self, file: TextIO | None = None, *, notes: Sequence[str] = (), files: Sequence[Path] = ()) -> None:
        """Prints the comparison table to `file` (default: stdout), and the answer below it.

        notes: lines between the table and the answer. files: what was written.
        """
        from reports import conclusion, overview, placement_shown, terminal  # which import pandas

        placed = [] if self.placement is None else [*placement_shown.sentences(self.placement)]
        terminal.show(self.summary, file, overview.remarks(self.frame), placed, notes)
        conclusion.conclude(self.frame, self.summary, files, self.origin.commands, file)
