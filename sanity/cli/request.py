"""Turns keys into a request: one run of a grid, or with `reproduction=NAME` the runs of a published table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sanity.cli.suggestions import refuse_unknown
from sanity.config import AUTO, RunConfig, from_mapping, nested
from sanity.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from reproductions.table import Reproduction

# Keys that, like options of parts, change the measurement: the report's title names those that differ from the table.
SETTINGS = {"recipe", "init", "variant", "match"}
CHOICES = ("model", "methods", "ratio", "seeds")  # with dataset and checks, the keys that select a part of the table


@dataclass(frozen=True)
class Request:
    """Holds the runs and the name of their report. `table`: the published table; `part`: the part of it to run.

    reference: the set among whose records the runs are placed.
    """

    configs: tuple[RunConfig, ...]
    name: str
    title: str
    table: "Reproduction | None" = None
    part: "Reproduction | None" = None
    reference: str = ""

    def report(self, records: "pd.DataFrame") -> "pd.DataFrame":
        """Returns the records; for a table with the paper's numbers and a row for every cell without a run."""
        return records if self.table is None else self.table.attach(records)

    def shown(self, records: "pd.DataFrame") -> "pd.DataFrame":
        """Returns the same as `report` for the requested part of the table."""
        return records if self.part is None else self.part.attach(records)

    def neighbours(self) -> "pd.DataFrame | None":
        """Returns the records of the reference set; None without one."""
        from reproductions.reference.records import load  # after `refuse_shadows`

        return load(self.reference) if self.reference else None

    def notes(self, records: "pd.DataFrame") -> list[str]:
        """Returns the lines that the terminal prints after the table."""
        if self.table is None:
            return []
        shown = self.shown(records)
        cells = shown[["dataset", "model", "method", "check", "ratio", "paper_mean"]].drop_duplicates()
        lines = [
            self.title,
            f"{cells['paper_mean'].count()} of {len(cells)} cells have a printed number",
        ]
        unrun = sum(self.table.attach(records)["status"] == "missing") - sum(shown["status"] == "missing")
        return lines + [f"{unrun} more cells of the table have no run; the report lists them as missing"] * bool(unrun)


def requested(keys: Mapping[str, Any] | RunConfig) -> Request:
    """Builds the request for these keys.

    With `reproduction`, the keys methods, checks, ratio, seeds, dataset and model choose a part of the table (seeds and
    checks may go beyond it), and all other keys override its settings.

    Raises `UserError` for a mistake in the keys, and for a choice that the table does not have.
    """
    for key in ("reproduction", "reference"):
        if isinstance(keys, RunConfig) and (name := getattr(keys, key)):
            raise UserError(f"{key}={name}: give a mapping of keys, which tells what overrides its settings")
    if not isinstance(keys, RunConfig):
        refuse_unknown(keys)
    if not isinstance(keys, RunConfig) and keys.get("reference"):
        from reproductions import reference  # after `refuse_shadows`
        from sanity.cli.reference import runs

        name = str(keys["reference"])
        title, placed = str(reference.declaration(name)["title"]), name if "methods" in keys else ""
        return Request(runs(keys), f"reference-{name}", title, reference=placed)
    if isinstance(keys, RunConfig) or not keys.get("reproduction"):
        config = from_mapping(vars(keys) if isinstance(keys, RunConfig) else keys)
        if config.methods == ("imported",) and not isinstance(keys, RunConfig) and "ratio" not in keys:
            config = replace(config, ratio=(_ratio_of_files(config),))
        title = f"{config.model} on {config.dataset}, recipe {config.recipe}"
        return Request((config,), f"{config.dataset}-{config.model}", title)
    return _of_table(keys)


def _ratio_of_files(config: RunConfig) -> float:
    """Returns the ratio of the masks to import, for a run that names no ratio."""
    from methods.imported import Imported  # which imports torch
    from sanity.grid.cells import cells

    methods = [cell.method.build() for cell in cells(config)]
    return Imported.common_ratio([method for method in methods if isinstance(method, Imported)], config.first_seeds)


def _of_table(keys: Mapping[str, Any]) -> Request:
    from reproductions import load, version  # after `refuse_shadows`; the catalog imports pandas
    from reproductions.catalog import on_data
    from reproductions.departures import in_words
    from reproductions.panels import override, parts_of

    name = str(keys["reproduction"])
    seeds = from_mapping(keys).seeds  # reports an unknown key or a bad value before the table is read
    whole, departures = on_data(load(name), keys.get("dataset"))
    narrowed = {key: seeds if key == "seeds" else keys[key] for key in CHOICES if key in keys}
    auto = narrowed.get("seeds") == AUTO and bool(narrowed.pop("seeds"))  # the table keeps the seeds that it asks for
    part = whole.narrow(**narrowed)
    if "dataset" in keys:
        part = part.narrow(dataset=str(keys["dataset"]).rpartition(":")[2])
    part, further = _checked(part, keys.get("checks"))
    chosen = {*CHOICES, "reproduction", "dataset", "checks"}
    settings = {key: value for key, value in nested(keys).items() if key not in chosen}
    departures += further + _departures(part, settings)
    parts = set().union(*map(parts_of, part.panels))
    part = replace(part, panels=tuple(override(panel, settings, parts) for panel in part.panels))
    _check_distinct(part)
    if "recipe" in settings:
        whole = whole.trained_by(settings["recipe"])
    title = whole.title + (f" (not as published: {in_words(departures)})" if departures else "")
    title += " (no printed number was seen)" * whole.numbers.empty
    configs = tuple(
        replace(
            from_mapping({**panel, "seeds": AUTO} if auto else panel), reproduction=name, table_version=version(name)
        )
        for panel in part.configs()
    )
    return Request(_controlled_once(configs), name, title, whole, part)


def _controlled_once(configs: tuple[RunConfig, ...]) -> tuple[RunConfig, ...]:
    """Returns the runs of a table with controls only in the first of those that share a network."""
    networks = [(config.dataset, config.model, config.recipe, config.overrides()) for config in configs]
    return tuple(
        replace(config, controls=config.controls and networks.index(network) == place)
        for place, (config, network) in enumerate(zip(configs, networks, strict=True))
    )


def _check_distinct(part: "Reproduction") -> None:
    """Raises `UserError` if the settings make cells of two panels the same."""
    from reproductions.panels import CELL  # after `refuse_shadows`

    cells = part.cells()
    twice = cells.loc[cells.duplicated(CELL), "method"]
    if len(twice):
        raise UserError(f"{twice.iloc[0]}: these settings make two of the table's tickets the same; leave one out")


def _checked(part: "Reproduction", checks: Any) -> "tuple[Reproduction, list[str]]":
    """Returns the part with the requested checks and the labels of those that the published table does not have."""
    if checks is None:
        return part, []
    requested_checks = [entry.strip() for entry in checks.split(",")] if isinstance(checks, str) else list(checks)
    own = {"none", *(check for panel in part.panels for check in panel["checks"])}
    part = part.narrow(checks=[check for check in requested_checks if check in own] or ["none"])
    further = [check for check in requested_checks if check not in own]
    panels = tuple({**panel, "checks": [*panel["checks"], *further]} for panel in part.panels)
    return replace(part, panels=panels), [f"with {check}" for check in further]


def _departures(part: "Reproduction", settings: Mapping[str, Any]) -> list[str]:
    """Returns the settings that differ from the table's, as the command line spells them."""
    from reproductions.panels import options, parts_of  # after `refuse_shadows`

    departures = [
        f"{key}={value}"
        for key, value in settings.items()
        if key in SETTINGS and not all(_held(value, panel.get(key)) for panel in part.panels)
    ]
    for owner, values in settings["options"].items():
        panels = [panel for panel in part.panels if owner in parts_of(panel)]
        for name, value in values.items():
            if not panels or not all(_held(value, options(panel, owner).get(name)) for panel in panels):
                departures.append(f"{owner}.{name}={value}")
    return departures


def _held(value: Any, own: Any) -> bool:
    """Whether a panel's own value of a key contains `value`; lists are text with commas."""
    return own is not None and set(str(value).split(",")) <= set(str(own).split(","))
