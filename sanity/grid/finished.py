"""Remembers requests that have finished, in RESULTS/finished/KEY.json: the same command then only reads their records.

To name its results, a request must load data, draw networks and import torch. A request that has finished is known by
what decides on those names and costs nothing to look at: its keys, the source of this suite, the versions of Python and
of the packages, the hardware, and sizes and times of the data's files. Where any of these differs, or a record does,
the request is prepared as usual. One with parts that are not ours, with masks or weights from files, or with checks
that read other data, always is.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import checks
import methods
from sanity import data, models
from sanity.config import RunConfig
from sanity.config.options import expanded, fill
from sanity.config.source_hash import OURS
from sanity.store.environment import hardware, versions
from sanity.store.identity import identity, plain
from sanity.store.records import has_ended, rows
from sanity.store.store import Store

FOLDER = "finished"
PLACE = (
    *("dataset", "model", "recipe", "overrides", "method", "check", "ratio", "match", "seed", "predicted"),
    *("dose", "moments"),
    *("classes", "train_examples", "test_examples", "check_words", "paper_mean", "paper_metric", "paper_source"),
)
"""The columns that a run writes over those of a stored record, see `sanity.grid.record.place`."""
_ROOT = Path(__file__).parents[2]
_SOURCES = (".py", ".toml")
_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
Row = Mapping[str, Any]


class Request:
    """A request, before it is known whether it has finished. Making one needs no torch."""

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self._configs, self._store, self._began = configs, Store(configs[0].results_dir), time.time_ns()
        self._circumstances = _circumstances()  # those of now: the suite may be updated while a run lasts
        self._path = self._store.root / FOLDER / f"{identity({'runs': list(map(asdict, configs))})}.json"

    def recall(self) -> tuple[list[dict[str, Any]], str] | None:
        """Returns the rows of a request that has finished, and how its seeds were spent; None if it must be prepared.

        Raises `CannotRead`.
        """
        stored = self._store.read(self._path)
        if stored is None or stored["circumstances"] != self._circumstances:
            return None
        if any(_state(path) != state for path, state in stored["files"].items()):
            return None
        records = rows(self._store.root, [place["cell"] for place in stored["cells"]])
        if len(records) != len(stored["cells"]):
            return None
        placed = [{**record, **place} for record, place in zip(records, stored["cells"], strict=True)]
        return (placed, stored["spent"]) if _digest(placed) == stored["records"] else None

    def remember(self, placed: Sequence[Row], spent: str) -> None:
        """Writes that the request has finished with these rows, if it has. spent: how `seeds=auto` spent the seeds.

        Raises `CannotWrite`.
        """
        if not all(map(has_ended, placed)) or not all(_is_ours(run) and _reads_its_data(run) for run in self._configs):
            return
        files = _files(self._configs)
        if files is None or any(max(state[1:], default=0) >= self._began for state in files.values()):
            return  # they may have changed meanwhile
        content = {
            "circumstances": self._circumstances,
            "files": files,
            "spent": spent,
            "records": _digest(placed),
            "cells": [{name: row[name] for name in ("cell", *PLACE) if name in row} for row in placed],
        }
        self._store.write(self._path, content)


def _is_ours(config: RunConfig) -> bool:
    """Whether all code and all weights and masks of a run come with this suite."""
    registries = (methods.REGISTRY, checks.REGISTRY, models.REGISTRY, models.INITS, data.REGISTRY)
    if any(registry.is_extended for registry in registries):
        return False
    words = [*config.methods, *config.checks, config.model, config.dataset, config.init]
    options = [value for section in config.options.values() for value in section.values()]
    words += [word.removeprefix("from:") for value in options for word in str(value).split(",")]  # layer counts
    if any(":" in word for word in words):  # `module:Class`, `file:PATH`
        return False
    named = {word.partition("@")[0] for word in config.methods} & {*methods.REGISTRY.names()}
    return not any(methods.REGISTRY.load(name).reads_files for name in named)


def _reads_its_data(config: RunConfig) -> bool:
    """Whether the checks of a run, which are ours, read no other data than the run's."""
    from checks.base import Check  # which imports torch

    parts = {part.strip() for entry in config.checks for part in entry.split("+")} & {*checks.REGISTRY.names()}
    return all(checks.REGISTRY.load(part).inputs is Check.inputs for part in parts)


def _files(configs: Sequence[RunConfig]) -> dict[str, list[int]] | None:
    """Returns the states of all files from which the data come; None where these are not known."""
    states: dict[str, list[int]] = {}
    for config in configs:
        source = fill(data.REGISTRY.load(config.dataset), config.section("dataset"), "dataset")
        paths = source.files(expanded(config.data_dir, "data_dir"))
        if paths is None:
            return None
        states |= {str(path): _state(path) for path in paths}
    return states


def _state(path: Path | str) -> list[int]:
    """Returns a file's size, and when its content and its entry were changed, in ns; an empty list where none is there.

    The time of the entry tells files apart that took the place of others of their size, with times that were kept.
    """
    try:
        facts = os.stat(path)
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


def _digest(placed: Sequence[Row]) -> str:
    text = json.dumps(plain(placed), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _circumstances() -> str:
    """Returns a hash of all but keys and data that decides on the names of results."""
    variables = {name: os.environ.get(name, "") for name in _VARIABLES}
    return identity({"source": _source(), "versions": versions(), "hardware": hardware(), "environment": variables})


def _source() -> str:
    content = hashlib.sha256()
    for package in OURS:
        for path in sorted(_sources(_ROOT / package)):
            content.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes())
    return content.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _sources(Path(entry.path))
        elif entry.name.endswith(_SOURCES):
            yield Path(entry.path)
