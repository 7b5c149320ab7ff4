"""Writes the pictures of a report as files for papers and slides, on white with dark ink."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.colors import same_color

from reports import canvas, plots
from reports.canvas import Picture
from reports.content import Content
from sanity.store.files import write_atomically

INK = "#222222"
DPI = 300
_PLAIN = {"figure.facecolor": "white", "savefig.facecolor": "white", "axes.facecolor": "white", "pdf.fonttype": 42}


def export(content: Content, directory: Path, formats: Sequence[str]) -> Path:
    """Writes every picture in each format ("svg", "pdf", "png") to figures/. Returns that folder."""
    folder = directory / "figures"
    for section in content.sections:
        for picture in section.pictures:
            for name in formats:
                write_atomically(folder / f"{picture.name}.{name}", WRITERS[name](picture))
    return folder


def _svg(picture: Picture) -> str:
    return canvas.standalone(picture)


def _pdf(picture: Picture) -> bytes:
    return _drawn(picture, "pdf", {"CreationDate": None})


def _png(picture: Picture) -> bytes:
    return _drawn(picture, "png", {"Software": ""})


def _drawn(picture: Picture, kind: str, metadata: dict[str, str | None]) -> bytes:
    with mpl.rc_context(canvas.style(picture.name) | _PLAIN):
        figure = picture.drawing.draw()
        for artist in figure.findobj():
            _darken(artist)
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=DPI, metadata=metadata)
    return file.getvalue()


def _darken(artist: Artist) -> None:
    """Gives what is drawn in the page's ink, which is grey here, the ink of paper; grid lines stay faint."""
    for part in ("color", "edgecolor", "facecolor"):
        read, write = (getattr(artist, f"{verb}_{part}", None) for verb in ("get", "set"))
        if read is not None and write is not None and _is_ink(read()):
            write(INK)


def _is_ink(colour: Any) -> bool:
    try:
        return bool(same_color(colour, plots.INK))
    except (ValueError, TypeError):  # "none", or the colours of several parts
        return False


WRITERS: dict[str, Callable[[Picture], str | bytes]] = {"svg": _svg, "pdf": _pdf, "png": _png}
