"""Holds verdicts against those that somebody expects, so that the checks of a repository can fail.

A file of expectations, in TOML:

    [[expect]]
    method = "snip"
    check = "layerwise_rearrange"
    ratio = 0.98                    # a list, or left out: every ratio
    verdict = "equivalent"          # or a list of those that will do

`dataset`, `model` and `recipe` may be named too.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.comparisons import VERDICTS
from reports.statistics import Cell, Summary
from reports.text import counted, say
from reports.wording import percent
from sanity.errors import UserError, unknown

PLACES = ("method", "check", "ratio", "dataset", "model", "recipe")


@dataclass(frozen=True)
class Expectation:
    """The verdicts that are allowed for the cells at some places; every place is a tuple of allowed values."""

    places: Mapping[str, tuple[Any, ...]]
    verdicts: tuple[str, ...]

    def concerns(self, cell: Cell) -> bool:
        """Whether a cell is one of those."""
        return cell.comparison is not None and all(
            any(_same(getattr(cell, name), value) for value in values) for name, values in self.places.items()
        )

    def __str__(self) -> str:
        return ", ".join(f"{name} {' or '.join(map(str, values))}" for name, values in self.places.items())


def read(path: Path) -> list[Expectation]:
    """Reads a file of expectations. Raises `UserError` for one that cannot be read or says what there is not."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UserError(f"--expect={path}: should be text in UTF-8") from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--expect={path}: {getattr(error, 'strerror', None) or error}") from None
    entries = content.get("expect")
    if not isinstance(entries, list) or not entries or set(content) != {"expect"}:
        raise UserError(f"--expect={path}: should hold entries [[expect]], and nothing else")
    return [_expectation(entry, path) for entry in entries]


def _expectation(entry: Any, path: Path) -> Expectation:
    if not isinstance(entry, Mapping) or not {"check", "verdict"} <= entry.keys():
        raise UserError(f"--expect={path}: every entry needs a check and a verdict; {entry} has not")
    for name in entry:
        if name not in (*PLACES, "verdict"):
            raise unknown(f"field of --expect={path}", name, (*PLACES, "verdict"))
    verdicts = _listed(entry["verdict"])
    for verdict in verdicts:
        if verdict not in VERDICTS:
            raise unknown(f"verdict in --expect={path}", verdict, VERDICTS)
    return Expectation({name: _listed(entry[name]) for name in PLACES if name in entry}, verdicts)


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _same(own: Any, wanted: Any) -> bool:
    return abs(own - wanted) < 1e-9 if isinstance(own, float) and isinstance(wanted, float | int) else own == wanted


def unmet(expectations: Sequence[Expectation], summary: Summary) -> list[str]:
    """A sentence for each verdict that is not as expected, and for each expectation that meets no comparison."""
    sentences = []
    for expected in expectations:
        cells = [cell for cell in summary.cells if expected.concerns(cell)]
        if not cells:
            sentences.append(say("expect.nothing", expected=expected))
        sentences += [_unmet(cell, expected) for cell in cells if _verdict(cell) not in expected.verdicts]
    return sentences


def told(expectations: Sequence[Expectation], missed: Sequence[str]) -> str:
    """How the expectations ended, for the terminal."""
    listed = "".join(f"\n  {sentence}" for sentence in missed)
    return say("expect.unmet" if missed else "expect.met", count=counted(len(expectations), "expectation")) + listed


def _unmet(cell: Cell, expected: Expectation) -> str:
    place = f"{cell.method} {percent(cell.ratio)} {cell.check} ({', '.join(cell.setting)})"
    return say("expect.other", place=place, verdict=_verdict(cell), expected=" or ".join(expected.verdicts))


def _verdict(cell: Cell) -> str:
    return cell.compared.verdict
