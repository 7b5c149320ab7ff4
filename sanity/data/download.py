"""Downloads data sets with torchvision if they are missing, and reports a failure in one clear line."""

import socket
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from sys import stderr
from typing import Any

from sanity.data.source import MissingDataError, Source

TIMEOUT_S = 30.0
_NOT_ALLOWED = "nothing is fetched with download=false or dry_run=true"


@dataclass(frozen=True)
class Downloaded(Source):
    """A data set that torchvision can fetch.

    download: false never opens a connection; the data must then be in `data_dir`.
    """

    download: bool = True

    def obtain(self, dataset: Callable[..., Any], data_dir: Path, files: Iterable[str], url: str, folder: Path) -> None:
        """Downloads and unpacks the torchvision data set `dataset` into `data_dir`.

        Raises `MissingDataError` that says which `files` to fetch from `url` and to put into `folder`.
        """
        reason = _NOT_ALLOWED if not self.download else _fetch(dataset, data_dir)
        if reason:
            name = dataset.__name__
            raise MissingDataError(
                f"{name} is not in {folder} ({reason}). Fetch {', '.join(files)} from {url} into {folder}"
            )


def _fetch(dataset: Callable[..., Any], data_dir: Path) -> str | None:
    """Downloads the data set; returns None, or the reason of a failure in one line."""
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        with redirect_stdout(stderr):
            dataset(str(data_dir), download=True)
    except (OSError, RuntimeError, HTTPException, EOFError) as error:
        return f"the download failed: {' '.join(str(error).split()) or type(error).__name__}"
    finally:
        socket.setdefaulttimeout(timeout)
    return None
