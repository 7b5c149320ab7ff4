"""Lists the cells of a table's panels by the labels of records, and narrows panels to some of them; needs no torch."""

from collections.abc import Iterable, Sequence, Set
from itertools import product
from typing import Any

from sanity.config import SECTIONS
from sanity.config.decomposition import expanded
from sanity.errors import UserError, unknown
from sanity.grid.cells import CONTROL, DENSE, CheckSpec, MethodSpec, combinations

Panel = dict[str, Any]  # the keys of a run; options of parts under "options", {part: {option: value}}
CELL = ["dataset", "model", "method", "check", "ratio"]
# Half of the last digit of a sparsity printed as 97.7 %: closer than this, two ratios are one.
ROUNDING = 0.0005 + 1e-9


def nearest(ratio: float, candidates: Iterable[float]) -> float | None:
    """Returns the candidate that `ratio` is a rounding of; None where there is none."""
    closest = min(candidates, key=lambda candidate: abs(candidate - ratio), default=None)
    return closest if closest is not None and abs(closest - ratio) <= ROUNDING else None


def options(panel: Panel, part: str) -> dict[str, str]:
    """Returns the options of one part of a panel: of a method, a check, the recipe ..."""
    return dict(panel["options"].get(part, {}))


def parts_of(panel: Panel) -> set[str]:
    """Returns the parts whose options a panel may set: data set, model, recipe, its methods and its checks."""
    checks = {name for entry in expanded(panel["checks"]) for name in check_names(entry)}
    return {*SECTIONS, *checks, *(entry.partition("@")[0] for entry in panel["methods"])}


def check_names(entry: str) -> list[str]:
    """Returns the names of the checks that an entry of the key `checks` joins by +."""
    return [name.strip() for name in entry.split("+")]


def method_labels(panel: Panel, entry: str) -> list[str]:
    """Returns the labels that the methods of one entry bear in records, one for each combination of its options."""
    name, _, variant = entry.partition("@")
    return [MethodSpec(name, variant, chosen).label for chosen in combinations(options(panel, name))]


def check_labels(panel: Panel, entry: str) -> list[str]:
    """Returns the labels that the checks of one entry bear in records, one for each combination of their options."""
    choices = [[(name, chosen) for chosen in combinations(options(panel, name))] for name in check_names(entry)]
    return [CheckSpec(tuple(chosen)).label for chosen in product(*choices)]


def override(panel: Panel, settings: Panel, parts: Set[str]) -> Panel:
    """Returns a panel with other settings in place of its own.

    Options of a part that only other panels have are left out; those of a part that is in none of the table's `parts`
    stay, so that the grid names the mistake. With another recipe, the options of the panel's own recipe go, except
    that its data stay a copy of the table's (`recipe.for`).
    """
    held = {part: dict(values) for part, values in panel["options"].items()}
    if "recipe" in settings and "recipe" in held:
        held["recipe"] = {name: value for name, value in held["recipe"].items() if name == "for"}
    for part, values in settings["options"].items():
        if part in parts_of(panel) or part not in parts:
            held[part] = {**held.get(part, {}), **values}
    return {**panel, **settings, "options": held}


def cells_of(panel: Panel) -> list[dict[str, Any]]:
    """Returns every cell of a panel, without seeds, in the order of the grid; the control is always a check."""
    checks = [label for entry in expanded(panel["checks"]) if entry != CONTROL for label in check_labels(panel, entry)]
    setting = {name: panel[name] for name in ("dataset", "model", "recipe")}
    cells = []
    for entry in panel["methods"]:
        if entry == DENSE:
            cells.append({**setting, "method": DENSE, "check": CONTROL, "ratio": 0.0})
            continue
        for method, ratio, check in product(method_labels(panel, entry), panel["ratio"], [CONTROL, *checks]):
            cells.append({**setting, "method": method, "check": check, "ratio": ratio})
    return cells


def choose(panels: Sequence[Panel], key: str, values: Sequence[Any]) -> list[Panel]:
    """Narrows the panels to the `values` of their `key`, and leaves out the panels that hold none of these.

    key: methods, checks, ratio, dataset or model.
    A method is meant by its name, or by NAME@VARIANT; a ratio by a rounding of it.
    Raises `UserError` where no panel has one of them.
    """
    matched: set[Any] = set()
    chosen = []
    for panel in panels:
        held = panel[key] if isinstance(panel[key], list) else [panel[key]]
        held = [CONTROL, *held] if key == "checks" and CONTROL not in held else held
        matches = {value: match for value in values if (match := _match(key, value, held)) is not None}
        matched |= set(matches)
        kept = [value for value in held if value in matches.values()]
        if kept:
            chosen.append(without_idle_options({**panel, key: kept if isinstance(panel[key], list) else kept[0]}))
    for value in values:
        if value not in matched:
            raise _no_such(key, value, panels)
    return chosen


def _match(key: str, value: Any, held: Sequence[Any]) -> Any:
    if key == "ratio":
        return nearest(float(value), held)
    if key == "methods":
        return next((entry for entry in held if value in (entry, entry.partition("@")[0])), None)
    return value if value in held else None


def _no_such(key: str, value: Any, panels: Sequence[Panel]) -> UserError:
    allowed = {held for panel in panels for held in (panel[key] if isinstance(panel[key], list) else [panel[key]])}
    if key == "ratio":
        return UserError(f"ratio={value}: the table has {', '.join(f'{ratio:.6g}' for ratio in sorted(allowed))}")
    allowed |= {entry.partition("@")[0] for entry in allowed} if key == "methods" else set()
    return unknown(f"{key.removesuffix('s')} of this table", value, allowed | ({CONTROL} if key == "checks" else set()))


def without_idle_options(panel: Panel) -> Panel:
    """Drops the options of methods and checks that are not in the panel: the runner would refuse them."""
    used = parts_of(panel)
    return {**panel, "options": {part: values for part, values in panel["options"].items() if part in used}}
