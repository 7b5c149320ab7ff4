"""Keeps the commands that trained the records of a results directory: RESULTS/commands.jsonl, a line a command.

A report that is built again later is made by another command; what trained the records stays with them.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from sanity.store import json_lines
from sanity.store.files import append_line, write_atomically

COMMANDS = "commands.jsonl"


def remember(root: Path | str, command: str) -> None:
    """Adds a line for a command that trains, unless the file has that command. Raises `CannotRead`, `CannotWrite`."""
    if command not in commands(root):
        date = datetime.now(UTC).isoformat(timespec="seconds")
        append_line(Path(root) / COMMANDS, json.dumps({"date": date, "command": command}, ensure_ascii=False))


def commands(root: Path | str) -> list[str]:
    """The commands that trained the records of `root`, the first one first. Raises `CannotRead`."""
    return [command for command, _ in _lines(Path(root) / COMMANDS)]


def carry(root: Path | str, directory: Path | str) -> Path | None:
    """Copies the commands of `root` to another directory, whose own stay. Returns the file; None if there are none.

    Raises `CannotRead`, `CannotWrite`.
    """
    path = Path(directory) / COMMANDS
    lines = {**dict(_lines(path)), **dict(_lines(Path(root) / COMMANDS))}
    if not lines:
        return None
    write_atomically(path, "".join(f"{line}\n" for line in lines.values()))
    return path


def _lines(path: Path) -> list[tuple[str, str]]:
    """Each command with the first line that has it."""
    pairs: dict[str, str] = {}
    for line, command in json_lines.read(path, lambda content: str(content["command"]), "command"):
        pairs.setdefault(command, line)
    return list(pairs.items())
