"""What the command line asks for: one run of the grid, or with `reproduction=NAME` the runs of a published table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sanity.config import SECTIONS, RunConfig, from_mapping
from sanity.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from reproductions.table import Reproduction

# Beside the options of parts, the keys that change what is measured: a run with one that is not the table's departs.
SETTINGS = {"recipe", "init", "variant", "options"}
CHOICES = ("model", "methods", "ratio", "seeds")  # of a part of the table; so are dataset and checks


@dataclass(frozen=True)
class Request:
    """The runs, and what their report is called. `table`: the published table; `part`: what of it is run."""

    configs: tuple[RunConfig, ...]
    name: str
    title: str
    table: "Reproduction | None" = None
    part: "Reproduction | None" = None

    def report(self, records: "pd.DataFrame") -> "pd.DataFrame":
        """The records; of a table with the paper's numbers and a row for every cell that has no run."""
        return records if self.table is None else self.table.attach(records)

    def shown(self, records: "pd.DataFrame") -> "pd.DataFrame":
        """The same for the part of the table that was asked for."""
        return records if self.part is None else self.part.attach(records)

    def notes(self, records: "pd.DataFrame") -> list[str]:
        """What the terminal must say beside the part that it shows."""
        if self.table is None:
            return []
        shown = self.shown(records)
        cells = shown[["dataset", "model", "method", "check", "ratio", "paper_mean"]].drop_duplicates()
        lines = [
            self.title,
            f"{cells['paper_mean'].count()} of {len(cells)} cells have a printed number",
        ]
        left = sum(self.table.attach(records)["status"] == "missing") - sum(shown["status"] == "missing")
        return lines + [f"{left} more cells of the table have no run; the report lists them as missing"] * bool(left)


def requested(given: Mapping[str, Any] | RunConfig) -> Request:
    """What the keys ask for. With `reproduction`, methods, checks, ratio, seeds, dataset and model choose a part of the
    table (seeds and checks may go beyond it) and all other keys override its settings.

    Raises `UserError` for a mistake in the keys, and for what the table does not have.
    """
    if isinstance(given, RunConfig) and given.reproduction:
        raise UserError(
            f"reproduction={given.reproduction}: give a mapping of keys, which tells what overrides the table"
        )
    if isinstance(given, RunConfig) or not given.get("reproduction"):
        config = from_mapping(vars(given) if isinstance(given, RunConfig) else given)
        title = f"{config.model} on {config.dataset}, recipe {config.recipe}"
        return Request((config,), f"{config.dataset}-{config.model}", title)
    return _of_table(given)


def _of_table(given: Mapping[str, Any]) -> Request:
    from reproductions import load
    from reproductions.catalog import on_data

    name = str(given["reproduction"])
    from_mapping(given)  # an unknown key or a bad value, before the table is looked at
    whole, departures = on_data(load(name), given.get("dataset"))
    part = whole.narrow(**{key: given[key] for key in CHOICES if key in given})
    if "dataset" in given:
        part = part.narrow(dataset=str(given["dataset"]).rpartition(":")[2])
    part, further = _checked(part, given.get("checks"))
    settings = {
        key: value for key, value in given.items() if key not in {*CHOICES, "reproduction", "dataset", "checks"}
    }
    departures += further + [f"{key}={value}" for key, value in settings.items() if _departs(part, key, str(value))]
    part = replace(part, panels=tuple(_overridden(panel, settings, part) for panel in part.panels))
    _told_apart(part)
    if "recipe" in settings:
        whole = whole.trained_by(settings["recipe"])
    title = whole.title + (f" (not as published: {', '.join(departures)})" if departures else "")
    title += " (no printed number was seen)" * whole.numbers.empty
    return Request(tuple(from_mapping(panel) for panel in part.configs()), name, title, whole, part)


def _told_apart(part: "Reproduction") -> None:
    """Raises `UserError` where settings made cells of two panels the same."""
    from reproductions.panels import CELL

    cells = part.cells()
    twice = cells.loc[cells.duplicated(CELL), "method"]
    if len(twice):
        raise UserError(f"{twice.iloc[0]}: these settings make two of the table's tickets the same; leave one out")


def _checked(part: "Reproduction", given: Any) -> "tuple[Reproduction, list[str]]":
    """The part with the checks that were asked for; the table's tickets may be put to checks that it does not have."""
    if given is None:
        return part, []
    asked = [one.strip() for one in given.split(",")] if isinstance(given, str) else list(given)
    own = {"none", *(check for panel in part.panels for check in panel["checks"])}
    part = part.narrow(checks=[check for check in asked if check in own] or ["none"])
    further = [check for check in asked if check not in own]
    panels = tuple({**panel, "checks": [*panel["checks"], *further]} for panel in part.panels)
    return replace(part, panels=panels), [f"with {check}" for check in further]


def _parts(panel: Mapping[str, Any]) -> set[str]:
    """What options of a panel can be about."""
    checks = {part.strip() for check in panel["checks"] for part in check.split("+")}
    return {*SECTIONS, *checks, *(method.partition("@")[0] for method in panel["methods"])}


def _departs(part: "Reproduction", key: str, value: str) -> bool:
    """Whether a setting is none of the table's own."""
    if "." not in key and key not in SETTINGS:
        return False
    owner = key.partition(".")[0]
    concerned = [panel for panel in part.panels if "." not in key or owner in _parts(panel)] or [{}]
    held = [set(str(panel[key]).split(",")) if key in panel else set() for panel in concerned]
    return not all(set(value.split(",")) <= values for values in held)


def _overridden(panel: Mapping[str, Any], settings: Mapping[str, Any], part: "Reproduction") -> dict[str, Any]:
    """A panel with the settings that concern it; those that concern none stay, for the grid to complain about."""
    anywhere = set().union(*map(_parts, part.panels))
    chosen = dict(panel)
    if "recipe" in settings:
        kept = "recipe.for"  # whatever recipe: the data stay a copy of the table's
        chosen = {key: value for key, value in chosen.items() if key == kept or not key.startswith("recipe.")}
    for key, value in settings.items():
        owner = key.partition(".")[0]
        if "." not in key or owner in _parts(panel) or owner not in anywhere:
            chosen[key] = value
    return chosen
