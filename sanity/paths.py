"""Paths as users write them: `~` stands for a home directory."""

from pathlib import Path

from sanity.errors import UserError


def expanded(path: Path | str, key: str) -> Path:
    """`path` with a leading `~` or `~user` replaced. Raises `UserError` naming `key` where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{key}={path}: there is no home directory for {Path(path).parts[0]}; give a path") from None
