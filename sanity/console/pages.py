"""Prints pages of text, such as help, so that a narrow terminal breaks no line inside a word or a column."""

import os
import re
import sys
import textwrap
from collections.abc import Iterator

from sanity.console.output import printing

NARROWEST = 40  # columns; in a terminal of fewer, lines are folded as if it had these
_ITEM = re.compile(r"(\s*(?:\S+ )*?\S+\s{2,})\S")
"""What stands before the description of an item: its name, and two spaces or more."""
_LONG = re.compile(r"\S{25,}")
"""Words that may be broken between choices: `(global|uniform|erk)`."""
_BREAK = "\N{ZERO WIDTH SPACE}"


def print_page(text: str) -> None:
    """Prints text, folded where standard output is a terminal. Raises `CannotPrint`."""
    with printing():
        print(folded(text, columns()) if sys.stdout.isatty() else text)


def columns() -> int:
    """Returns how wide the terminal of standard output is; 80 where it does not say."""
    try:
        return max(NARROWEST, os.get_terminal_size(sys.stdout.fileno()).columns or 80)
    except (OSError, ValueError):
        return 80


def folded(text: str, width: int) -> str:
    """Returns text whose lines have at most `width` characters, as far as words allow; choices are broken at |.

    The description of an item goes on below itself, other lines at their own indentation; where a line of a paragraph
    is too long, the lines after it flow on. Lines that fit stay as they are.
    """
    return "\n".join(line for paragraph in _paragraphs(text.split("\n"), width) for line in _fold(paragraph, width))


def _paragraphs(lines: list[str], width: int) -> Iterator[str]:
    """Yields the lines; those of prose that go on one that is too long are joined to it."""
    joined = ""
    for line in lines:
        if len(joined) > width and _is_prose(line) and _is_prose(joined) and _indent(line) == _indent(joined):
            joined = f"{joined} {line.strip()}"
            continue
        if joined:
            yield joined
        joined = line
        if not line:
            yield line
    if joined:
        yield joined


def _is_prose(line: str) -> bool:
    return bool(line.strip()) and not _ITEM.match(line) and not line.strip().startswith(("-", "python ", "pip "))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _fold(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    item = _ITEM.match(line)
    indent = len(item[1]) if item and len(item[1]) <= width // 2 else _indent(line) + 4 * (not _is_prose(line))
    first = line[: _indent(line)] if item is None or indent != len(item[1]) else item[1]
    body = _LONG.sub(lambda word: word[0].replace("|", f"|{_BREAK} "), line[len(first) :])
    lines = textwrap.wrap(body, width, initial_indent=first, subsequent_indent=" " * indent, break_long_words=False,
                          break_on_hyphens=False)  # fmt: skip
    return [text.replace(f"{_BREAK} ", "").replace(_BREAK, "") for text in lines]
