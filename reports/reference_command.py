"""Prints a reference set as Markdown and writes its pictures: `python -m sanity.reference`."""

from collections.abc import Sequence
from pathlib import Path

from reports.reference_sets import page, summary_of
from reproductions import reference
from reproductions.reference.records import load
from sanity.console.ending import exit_code
from sanity.console.output import printing
from sanity.console.pages import print_page
from sanity.errors import UserError
from sanity.store.files import write_atomically

FIGURES = "--figures"


def main(words: Sequence[str]) -> int:
    """Prints what a set holds as Markdown; `--figures FOLDER` writes its pictures. Returns 2 for a mistake."""
    return exit_code(lambda: _run(list(words)))


def _run(words: list[str]) -> int:
    folder = ""
    if FIGURES in words:
        place = words.index(FIGURES)
        if place + 1 == len(words):
            raise UserError(f"{FIGURES}: needs a folder")
        folder = words[place + 1]
        del words[place : place + 2]
    if len(words) != 1 or words[0] in ("-h", "--help", "help"):
        print_page(f"python -m sanity.reference NAME [{FIGURES} FOLDER]\n\n{reference.listing()}")
        return 0
    name = words[0]
    frame = load(name)
    with printing():
        print(page(name, frame))
    if folder:
        from reports.reference_pictures import pictures  # which imports matplotlib

        for file, text in pictures(name, summary_of(frame)).items():
            write_atomically(Path(folder) / file, text)
    return 0
