"""Audits the files that a command names, one after the other."""

from collections.abc import Sequence
from pathlib import Path

from sanity.cli.audit.config import AuditConfig
from sanity.cli.audit.report import audit, text, write_page
from sanity.config import nested, options, pairs
from sanity.config.options import expanded
from sanity.console.ending import MISTAKE
from sanity.console.output import printing
from sanity.errors import UserError, complain
from sanity.masks.files.formats import SUFFIXES
from sanity.masks.files.paths import find


def audit_named(words: Sequence[str]) -> int:
    """Audits the files that the words name, and prints what it finds. Raises `UserError`, also for a single file that
    is no ticket. Returns 0; 2 where none of several files is one.
    """
    config, paths = _parse(words)
    if len(paths) == 1:
        _audit(paths[0], config)
        return 0
    return _audit_all(paths, config)


def _parse(words: Sequence[str]) -> tuple[AuditConfig, list[Path]]:
    named = [word for word in words if "=" not in word or Path(word).exists()]
    if not named:
        raise UserError("which file? python -m sanity.audit PATH [key=value ...]; see --help")
    keys = nested(pairs([word for word in words if word not in named]))
    config = options.fill(AuditConfig, keys, "")
    if config.html and expanded(config.html, "html").is_dir():
        raise UserError(f"html={config.html}: is a folder; name a file in it")
    paths = [file for word in named for file in _files(word)]
    if len(paths) > 1 and config.html:
        raise UserError(
            f"html={config.html}: {len(paths)} files are audited, each with a page of its own; leave it out"
        )
    return config, paths


def _files(word: str) -> list[Path]:
    path = expanded(word, "PATH")
    if not path.is_dir():
        return [find(word, "PATH")]
    files = sorted(entry for entry in path.iterdir() if entry.suffix in SUFFIXES and entry.is_file())
    return files or [find(word, "PATH")]


def _audit_all(paths: Sequence[Path], config: AuditConfig) -> int:
    """Audits one file after the other; one that is no ticket is a line. Returns 2 where none is a ticket."""
    failed = 0
    for path in paths:
        try:
            _audit(path, config)
        except UserError as error:
            failed += 1
            complain(f"left out: {error}")
    return MISTAKE if failed == len(paths) else 0


def _audit(path: Path, config: AuditConfig) -> None:
    result = audit(path, config)
    page = expanded(config.html, "html") if config.html else Path(f"audit-{path.stem}.html")
    write_page(result, page)
    with printing():
        print(f"{text(result)}\n{page}\n")
