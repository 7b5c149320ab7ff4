"""Turns `reference=NAME` into runs: those of the set itself, or those of one's own methods by its settings."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reproductions import reference
from reproductions.panels import Panel, choose, override, parts_of
from reproductions.reference.records import load
from sanity.config import AUTO, SECTIONS, RunConfig, from_mapping, nested
from sanity.errors import UserError, complain
from sanity.grid.cells import CONTROL, DENSE, Cell, cells

FIXED = ("dataset", "model", "recipe", "init", "match", "precision")
"""Keys that the set decides on: with another value the records of the set would be no comparison."""
NOT_OVERRIDDEN = {"reference", "ratio", "checks", *FIXED}


def runs(keys: Mapping[str, Any]) -> tuple[RunConfig, ...]:
    """Returns the runs that `reference` and the other keys ask for.

    With `methods` these are theirs, by the settings, ratios, checks and seeds of the set; without, the set's own.
    `ratio`, `checks` and `seeds` narrow it, and all keys that change no result are as in any run. With `seeds=auto` the
    checks get further seeds where they decide something.
    Raises `UserError` for a key that the set decides on, and where a set without records is to be compared with.
    """
    name, wished = str(keys["reference"]), from_mapping(keys)
    if wished.reproduction:
        raise UserError(f"reference={name}: goes with no reproduction; leave one of them out")
    panels = reference.panels(name, wished.methods if "methods" in keys else ())
    _check_fixed(name, keys, from_mapping(panels[0]))
    if "methods" in keys:
        load(name)  # said before anything is trained
    if "ratio" in keys:
        panels = choose(panels, "ratio", wished.ratio)
    settings = {key: value for key, value in nested(keys).items() if key not in NOT_OVERRIDDEN}
    parts = set().union(*map(parts_of, panels))
    overridden = [override(_checked(panel, keys, wished), settings, parts) for panel in panels]
    if "methods" in keys and "checks" not in keys:
        overridden = [asked for panel in overridden for asked in _answerable(panel)]
    configs = tuple(replace(from_mapping(panel), reference=name) for panel in overridden)
    return _adaptive(name, configs, "methods" in keys) if configs[0].seeds == AUTO else configs


def _adaptive(name: str, configs: tuple[RunConfig, ...], own: bool) -> tuple[RunConfig, ...]:
    """Returns runs with `seeds=auto`, of which those without checks end at the seeds of the set: nothing there is open.

    Where no run has checks, they have the seeds of the set, and a fixed design.

    own: whether the methods are not the set's; it is then said how far comparisons with these go.
    Raises `UserError` for a set whose seeds `auto`, which counts from 0, does not begin with.
    """
    seeds = from_mapping(reference.panels(name)[0]).first_seeds
    if seeds != tuple(range(len(seeds))):
        raise UserError(f"seeds=auto: counts from 0, and reference={name} has {_listed(seeds)}; name some of them")
    checked = [bool(set(config.checks) - {CONTROL}) for config in configs]
    if own and not any(checked):
        seeds = seeds[: configs[0].max_seeds]
        complain(f"note: seeds=auto: no check is asked; {_listed(seeds)} of reference={name} are run")
        return tuple(replace(config, seeds=seeds, design="fixed") for config in configs)
    if own:
        complain(
            f"note: seeds=auto adds seeds for the checks of your own methods; comparisons with those of "
            f"reference={name} end at its {_listed(seeds)}"
        )
    return tuple(
        config if has_checks else replace(config, max_seeds=min(len(seeds), config.max_seeds))
        for config, has_checks in zip(configs, checked, strict=True)
    )


def _listed(seeds: tuple[int, ...]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _checked(panel: Panel, keys: Mapping[str, Any], wished: RunConfig) -> Panel:
    """Returns the panel with the checks that are asked for, where it has any."""
    return {**panel, "checks": list(wished.checks)} if "checks" in keys and panel["checks"] != ["none"] else panel


def _answerable(panel: Panel) -> Iterator[Panel]:
    """Yields the panel's methods with those of its checks that can be asked of them; the others are said."""
    panel = {**panel, "methods": [*from_mapping(panel).methods]}
    for entry in panel["methods"]:
        own, left_out = _narrowed(panel, methods=[entry]), dict[str, str]()
        for cell in cells(from_mapping(own)):
            if cell.method.name != DENSE and (reason := _refusal(cell)):
                left_out |= {name: reason for name in panel["checks"] if name in cell.check.labels}
        for name, reason in left_out.items():
            complain(f"note: checks={name} is left out: {reason}")
        asked = [name for name in panel["checks"] if name not in left_out]
        yield _narrowed(own, checks=asked or [CONTROL])


def _narrowed(panel: Panel, **values: list[str]) -> Panel:
    """Returns the panel with fewer methods or checks, without the options of those that go; a misspelt one stays."""
    narrowed = {**panel, **values}
    gone = parts_of(panel) - parts_of(narrowed)
    return {**narrowed, "options": {part: held for part, held in panel["options"].items() if part not in gone}}


def _refusal(cell: Cell) -> str:
    """Returns why the check of a cell cannot be asked of its method in any network; empty where it can."""
    method, check = cell.method.build(), cell.check.build()
    if not cell.check.data_part().is_control and (reason := method.why_no_data_checks()):
        return reason
    altered = check.alter(method)
    if altered.constructs and altered.invert:
        return f"{method.called} constructs its mask, so that there is no ranking to invert"
    if method.starts_dense and not cell.check.is_control:
        return f"{method.called} starts from the dense network, so that there is no mask to move"
    return ""


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
