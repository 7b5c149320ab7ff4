"""Tells the store which cells a run asks for, so that its status can be seen from outside."""

import shlex
from collections.abc import Iterable

from sanity.config import AUTO, RunConfig, key_names
from sanity.config.engines import RAY
from sanity.grid import keys
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.store import requests
from sanity.store.requests import Requested

_NOT_OF_THE_GRID = (
    *("dry_run", "device", "engine", "runs_per_device", "checkpoint_minutes", "log", "track", "report_dir"),
    # all that these decide is among the other keys; with them the command would ask for more than one panel, or be
    # refused where a panel's keys do not choose among the table's, or place methods among a set's records
    *("reproduction", "reference"),
)


def remember(cells: Iterable[Cell], experiment: Experiment) -> None:
    """Writes the cells of a run to the store. Raises `CannotWrite`."""
    config = experiment.config
    titles = {keys.cell(cell, experiment): cell.title for cell in cells}
    setting = (config.dataset, config.model, config.recipe)
    requests.remember(experiment.store, Requested(command(config), setting, titles))


def command(config: RunConfig) -> str:
    """Returns the command line that runs `config`: its keys that differ from their defaults."""
    defaults = RunConfig(design="sequential" if config.seeds == AUTO else "fixed")
    words = []
    for key in key_names():
        value = getattr(config, key)
        if key not in _NOT_OF_THE_GRID and value != getattr(defaults, key):
            words.append(f"{key}={_word(key, value)}")
    sections = ((part, options) for part, options in config.options.items() if part != RAY)
    words += [f"{part}.{name}={value}" for part, options in sections for name, value in options.items()]
    return shlex.join(["python", "-m", "sanity.run", *words])


def _word(key: str, value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    if key != "seeds":
        return ",".join(map(str, value))
    first, last = value[0], value[-1]
    return f"{first}-{last}" if value == tuple(range(first, last + 1)) else ",".join(map(str, value))
