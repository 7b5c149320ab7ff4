"""Runs `python -m sanity.claims [PAPER ...] [--format text|md|json]`: claims of papers and what was found."""

from collections.abc import Sequence

from reproductions import claims
from sanity.console.ending import exit_code
from sanity.console.output import printing
from sanity.console.pages import print_page
from sanity.errors import UserError, unknown

FORMAT = "--format"


def main(words: Sequence[str]) -> int:
    """Prints the claims of the papers that the words name, by default all. Returns 2, with one line, for a mistake."""
    return exit_code(lambda: _run(list(words)))


def _run(words: list[str]) -> int:
    if any(word in ("-h", "--help", "help") for word in words):
        print_page(_help())
        return 0
    from reports.claims import declared, written  # pandas and the tests take a second to import

    form = _format(words)
    if form not in written.FORMATS:
        raise unknown("format", form, written.FORMATS)
    page = written.FORMATS[form]([declared.read(name) for name in words or claims.names()])
    with printing():
        print(page.rstrip("\n"))
    return 0


def _format(words: list[str]) -> str:
    """Takes `--format X` or `--format=X` out of the words and returns X; "text" where there is none."""
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option == FORMAT:
            if not equals and place + 1 == len(words):
                raise UserError(f"{FORMAT}: needs text, md or json")
            taken = words[place : place + (1 if equals else 2)]
            del words[place : place + len(taken)]
            return value if equals else taken[1]
    return "text"


def _help() -> str:
    papers = "\n".join(f"  {name:<22}{claims.declaration(name)['short']}" for name in claims.names())
    return (
        "python -m sanity.claims [PAPER ...] [--format text|md|json]\n\n"
        "Claims of papers as sentences that can fail, what could refute each, and what the records say.\n\n" + papers
    )
