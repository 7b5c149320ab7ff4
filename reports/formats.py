"""Writes a report's content as files, each whole or not at all, byte for byte the same for the same records."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import decomposition, escape, layers, machine
from reports import latex as tex
from reports.content import Content
from reports.flat import against, flat
from reports.provenance import COMMANDS
from reports.text import say
from reports.wording import SYMBOLS, check_name, verdict_name
from sanity.store.files import write_atomically

FILTERED = 20  # rows from which on a table can be searched
PRINTED = 60  # rows up to which a table is printed on paper
FIGURES = "figures"  # the folder beside report.md that holds its pictures


def markdown(content: Content, directory: Path) -> Path:
    """report.md, and its pictures as SVG files in `figures/` beside it."""
    from reports.canvas import standalone  # matplotlib takes half a second to import

    for section in content.sections:
        for picture in section.pictures:
            save(directory / FIGURES / f"{picture.name}.svg", standalone(picture))
    text = _environment(autoescape=False).get_template("report.md.j2").render(content=content, folder=FIGURES)
    return save(directory / "report.md", re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


def html(content: Content, directory: Path) -> Path:
    """report.html: one file with its style, script and pictures inside, which loads nothing from anywhere."""
    environment = _environment(autoescape=True)
    inline = {name: Markup(_source(environment, f"report.{name}")) for name in ("css", "js")}
    pictures = {picture.name: Markup(picture.svg) for section in content.sections for picture in section.pictures}
    page = environment.get_template("report.html.j2").render(
        content=content, pictures=pictures, FILTERED=FILTERED, PRINTED=PRINTED, **inline
    )
    return save(directory / "report.html", re.sub(r"\n\s*\n+", "\n", page))


def csv(content: Content, directory: Path) -> Path:
    """report.csv: a row a cell, with every number of the comparison and of the paper.

    layers.csv: a row for each layer of a cell. decomposition.csv, where there is one: a row a level.
    methods_compared.csv, where there are: a row for each method, reference and ratio.
    """
    rows = [
        {name: escape.csv(value) for name, value in flat(cell, content.summary).items()}
        for cell in content.summary.cells
    ]
    if levels := decomposition.rows(content.summary):
        table = pd.DataFrame([{name: escape.csv(value) for name, value in row.items()} for row in levels])
        save(directory / "decomposition.csv", table.to_csv(index=False, lineterminator="\n"))
    if per_layer := list(layers.rows(content.summary)):
        table = pd.DataFrame([{name: escape.csv(value) for name, value in row.items()} for row in per_layer])
        save(directory / "layers.csv", table.to_csv(index=False, lineterminator="\n"))
    if methods := [against(one, content.summary) for one in content.summary.methods]:
        table = pd.DataFrame([{name: escape.csv(value) for name, value in row.items()} for row in methods])
        save(directory / "methods_compared.csv", table.to_csv(index=False, lineterminator="\n"))
    frame = pd.DataFrame(rows)
    return save(directory / "report.csv", frame.to_csv(index=False, lineterminator="\n"))


def latex(content: Content, directory: Path, cells: bool = False) -> Path:
    r"""report.tex: the matrix of verdicts and the table of claims, to be \input; with `cells` all tables besides."""
    return save(directory / "report.tex", tex.document(content, cells))


def machine_readable(content: Content, directory: Path) -> Path:
    """report.json: the comparisons with all their numbers, as report.schema.json describes them."""
    return save(directory / "report.json", machine.document(content))


FORMATS: Mapping[str, Callable[[Content, Path], Path]] = {
    "md": markdown,
    "html": html,
    "csv": csv,
    "latex": latex,
    "json": machine_readable,
}


def save(path: Path, text: str) -> Path:
    """Write `text` to `path` at once: a reader sees the old file or the new one, never half of one."""
    write_atomically(path, text)
    return path


@cache
def _environment(autoescape: bool) -> Environment:
    """The templates with their filters; compiled once."""
    environment = Environment(loader=PackageLoader("reports"), autoescape=autoescape, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"md": escape.markdown, "row": _row, "check_name": check_name, "breaks": _breaks,
                            "holds": _holds}  # fmt: skip
    environment.globals |= {"symbols": SYMBOLS, "say": say, "verdict_name": verdict_name, "COMMANDS": COMMANDS}
    return environment


def _breaks(name: str) -> Markup:
    """A name that a narrow page breaks before its "@"."""
    return Markup("<wbr>@").join(name.split("@"))


def _holds(text: str) -> str:
    """A sentence whose numbers stay on one line with their units: with spaces that do not break."""
    for piece in (" %", " points", " ± ", "n = "):
        text = text.replace(piece, piece.replace(" ", "\u00a0"))
    return text


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _row(values: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape.markdown, values)) + " |"
