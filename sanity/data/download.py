"""Data sets that torchvision can fetch: only when they are asked for and not there, and with one clear line if not."""

import socket
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from sys import stderr
from typing import Any

from sanity.data.source import Source
from sanity.errors import UserError

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Downloaded(Source):
    """A data set that torchvision can fetch.

    download: false never opens a connection; what is in `data_dir` must then do.
    """

    download: bool = True

    def obtain(self, what: Callable[..., Any], data_dir: Path, files: Iterable[str], url: str, folder: Path) -> None:
        """Has torchvision's class `what` fetch (or unpack) itself into `data_dir`.

        Raises `UserError` that says which `files` to fetch from `url` and to put into `folder`.
        """
        reason = "download=false" if not self.download else _fetch(what, data_dir)
        if reason:
            name = what.__name__
            raise UserError(f"{name} is not in {folder} ({reason}). Fetch {', '.join(files)} from {url} into {folder}")


def _fetch(what: Callable[..., Any], data_dir: Path) -> str | None:
    """None if it worked, else why it did not, in one line."""
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        with redirect_stdout(stderr):
            what(str(data_dir), download=True)
    except (OSError, RuntimeError, HTTPException, EOFError) as error:
        return f"the download failed: {' '.join(str(error).split()) or type(error).__name__}"
    finally:
        socket.setdefaulttimeout(timeout)
    return None
