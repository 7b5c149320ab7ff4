"""Turns `reference=NAME` into runs: those of the set itself, or those of one's own methods by its settings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reproductions import reference
from reproductions.panels import Panel, choose, override, parts_of
from reproductions.reference.records import load
from sanity.config import AUTO, SECTIONS, RunConfig, from_mapping, nested
from sanity.errors import UserError

FIXED = ("dataset", "model", "recipe", "init", "match", "precision")
"""Keys that the set decides on: with another value the records of the set would be no comparison."""
NOT_OVERRIDDEN = {"reference", "ratio", "checks", *FIXED}


def runs(keys: Mapping[str, Any]) -> tuple[RunConfig, ...]:
    """Returns the runs that `reference` and the other keys ask for.

    With `methods` these are theirs, by the settings, ratios, checks and seeds of the set; without, the set's own.
    `ratio`, `checks` and `seeds` narrow it, and all keys that change no result are as in any run.
    Raises `UserError` for a key that the set decides on, and where a set without records is to be compared with.
    """
    name, wished = str(keys["reference"]), from_mapping(keys)
    if wished.reproduction:
        raise UserError(f"reference={name}: goes with no reproduction; leave one of them out")
    if "seeds" in keys and wished.seeds == AUTO:
        raise UserError(f"seeds=auto: the records of reference={name} have seeds of their own; name some of them")
    panels = reference.panels(name, wished.methods if "methods" in keys else ())
    _check_fixed(name, keys, from_mapping(panels[0]))
    if "methods" in keys:
        load(name)  # said before anything is trained
    if "ratio" in keys:
        panels = choose(panels, "ratio", wished.ratio)
    settings = {key: value for key, value in nested(keys).items() if key not in NOT_OVERRIDDEN}
    parts = set().union(*map(parts_of, panels))
    overridden = (override(_checked(panel, keys, wished), settings, parts) for panel in panels)
    return tuple(replace(from_mapping(panel), reference=name) for panel in overridden)


def _checked(panel: Panel, keys: Mapping[str, Any], wished: RunConfig) -> Panel:
    """Returns the panel with the checks that are asked for, where it has any."""
    return {**panel, "checks": list(wished.checks)} if "checks" in keys and panel["checks"] != ["none"] else panel


def _check_fixed(name: str, keys: Mapping[str, Any], own: RunConfig) -> None:
    """Raises `UserError` for a setting that differs from the set's."""
    wished = from_mapping(keys)
    for key in FIXED:
        if key in keys and getattr(wished, key) != getattr(own, key):
            raise UserError(f"{key}={keys[key]}: reference={name} has {getattr(own, key) or 'none'}; leave it out")
    for part in SECTIONS:
        for option, value in wished.section(part).items():
            if str(own.section(part).get(option)) != str(value):
                raise UserError(f"{part}.{option}={value}: reference={name} sets its own {part}; leave it out")
