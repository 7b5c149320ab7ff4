"""Ends what the terminal prints: the question and its answer, where the report is, what to do next, each once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import pandas as pd
from rich.text import Text

from reports.headline import question
from reports.lead import lead
from reports.next_steps import next_step
from reports.statistics import Summary
from reports.terminal import page_of
from reports.text import say


def conclude(
    frame: pd.DataFrame,
    summary: Summary,
    files: Sequence[Path],
    commands: Sequence[str],
    file: TextIO | None = None,
) -> None:
    """Prints the last lines. files: what was written. commands: what trained the records, where that is known."""
    console, page = page_of(file)
    console.print()
    console.print(page.text(question(summary), "bold"))
    for sentence in lead(summary):
        console.print(page.text(sentence))
    if files:
        console.print()
        console.print(page.text(say("terminal.files"), "bold"))
    for path in files:
        console.print(Text(f"  {path}"), soft_wrap=True)
    step = next_step(frame, summary, commands)
    console.print()
    console.print(page.text(say("next.title"), "bold"))
    console.print(page.text(step.text))
    for command in step.commands:
        console.print(Text(f"  {command}"), soft_wrap=True)
