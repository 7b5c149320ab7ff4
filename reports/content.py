"""What a report contains, before any format: Markdown, HTML, CSV and LaTeX are written from this one structure."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from reports import placement_shown, provenance
from reports.answer import Answer, answer
from reports.comparisons import VERDICTS
from reports.escape import visible
from reports.headline import question, setting_line
from reports.lead import lead
from reports.method_sentences import method_sentences
from reports.next_steps import NextStep, next_step
from reports.origin import UNKNOWN, Origin
from reports.overview import legend, meaning
from reports.placement import Placement
from reports.statistics import Summary
from reports.table import Table
from reports.tables import tables
from reports.text import say
from reports.trust import Trust, trust
from reports.validation import cleaned
from reports.wording import SYMBOLS

if TYPE_CHECKING:
    from reports.canvas import Section

TERMS = ("ticket", "sparsity", "check", "control", "seed", "margin", "interval", "overlap", "dense", "random")
OF_PAPERS = ("reproduced",)  # terms that stand only beside printed numbers


@dataclass(frozen=True)
class Content:
    """Everything that a report says, in the order in which it says it."""

    title: str  # what the records are, where somebody or a published table names them
    question: str
    setting: str
    lead: tuple[str, ...]  # the answer in two or three sentences
    trust: tuple[Trust, ...]
    legend: str
    verdicts: tuple[tuple[str, str, str], ...]  # symbol, name, meaning, of those that occur
    answers: tuple[Answer, ...]
    next_step: NextStep
    methods: tuple[str, ...]  # how each did against random and magnitude pruning, in words
    tables: tuple[Table, ...]
    glossary: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    summary: Summary
    placed: Placement | None = None  # among the methods of a reference set

    @property
    def overview(self) -> str:
        """The answer and what to know before believing it, in one text."""
        return " ".join([*self.lead, *(one.text for one in self.trust)])

    @cached_property
    def sections(self) -> "tuple[Section, ...]":
        """The pictures, drawn for a format that shows them: most of the time that a report takes."""
        from reports.figures import draw  # matplotlib takes half a second to import

        return tuple(draw(self.summary))


def assemble(
    frame: pd.DataFrame,
    summary: Summary,
    title: str = "",
    origin: Origin = UNKNOWN,
    placed: Placement | None = None,
) -> Content:
    """The content of the report of a frame of records and their `summary`; `placed`: among a reference set."""
    present = {cell.comparison.verdict for cell in summary.cells if cell.comparison}
    terms = TERMS + OF_PAPERS * any(cell.paper for cell in summary.cells)
    return Content(
        visible(title),
        question(summary),
        setting_line(summary),
        tuple(lead(summary)),
        tuple(trust(frame, summary)),
        legend(summary),
        tuple((SYMBOLS[name], name, meaning(name, summary)) for name in VERDICTS if name in present),
        tuple(filter(None, (answer(setting, summary) for setting in summary.names("setting")))),
        next_step(frame, summary, origin.commands),
        tuple(method_sentences(summary)),
        (*(placement_shown.tables(placed) if placed else ()), *tables(summary)),
        tuple((term, say(f"glossary.{term}")) for term in terms),
        tuple(provenance.entries(cleaned(frame.drop(columns=provenance.UNREAD, errors="ignore")), origin)),
        summary,
        placed,
    )
