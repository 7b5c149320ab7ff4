"""Runs `python -m sanity.audit PATH [key=value ...]`: audits a ticket from a file, in seconds, without training."""

from collections.abc import Sequence

from sanity.cli.audit.config import AuditConfig
from sanity.config import options
from sanity.console.ending import exit_code
from sanity.console.pages import print_page


def main(words: Sequence[str]) -> int:
    """Audits the files that the words name. Returns 2, with one line, for a mistake; 1 where output fails."""
    return exit_code(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    if any(word in ("-h", "--help", "help") for word in words):
        print_page(_help())
        return 0
    from sanity.cli.audit.files import audit_named  # which imports torch

    return audit_named(words)


def _help() -> str:
    texts = options.texts(AuditConfig)
    lines = [
        "python -m sanity.audit PATH [key=value ...]",
        "",
        "What can be said of a ticket before any training: counts, dead parts, likeness to known methods. PATH is a",
        "file or a folder of files. Options of the network and the data set go by a dot: model.width=32.",
        "",
    ]
    return "\n".join(lines + [f"  {key}=  {texts[key]}" for key in options.names(AuditConfig) if key in texts])
