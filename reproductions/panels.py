"""The cells of a table's panels by the labels that records bear, and the choice of a part of them; needs no torch."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from sanity.config import SECTIONS
from sanity.errors import UserError, unknown
from sanity.grid.cells import CONTROL, DENSE, CheckSpec, MethodSpec, combinations

Panel = dict[str, Any]
CELL = ["dataset", "model", "method", "check", "ratio"]
# Half of the last digit of a sparsity printed as 97.7 %: closer than this, two ratios are one.
ROUNDING = 0.0005 + 1e-9


def nearest(ratio: float, known: Iterable[float]) -> float | None:
    """The known ratio that `ratio` is a rounding of; None where there is none."""
    found = min(known, key=lambda one: abs(one - ratio), default=None)
    return found if found is not None and abs(found - ratio) <= ROUNDING else None


def options(panel: Panel, part: str) -> dict[str, str]:
    """The options of a method or check."""
    return {key.partition(".")[2]: value for key, value in panel.items() if key.startswith(f"{part}.")}


def method_labels(panel: Panel, entry: str) -> list[str]:
    """The labels of what the entry `entry` of a panel's methods stands for, one a combination of its options."""
    name, _, variant = entry.partition("@")
    return [MethodSpec(name, variant, chosen).label for chosen in combinations(options(panel, name))]


def check_labels(panel: Panel, entry: str) -> list[str]:
    """The labels of what the entry `entry` of a panel's checks stands for."""
    parts = [part.strip() for part in entry.split("+")]
    choices = [[(name, chosen) for chosen in combinations(options(panel, name))] for name in parts]
    return [CheckSpec(tuple(chosen)).label for chosen in product(*choices)]


def cells_of(panel: Panel) -> list[dict[str, Any]]:
    """Every cell of a panel but for the seeds, in the order of the grid; the control is always among the checks."""
    checks = [label for entry in panel["checks"] if entry != CONTROL for label in check_labels(panel, entry)]
    where = {name: panel[name] for name in ("dataset", "model", "recipe")}
    found = []
    for entry in panel["methods"]:
        if entry == DENSE:
            found.append({**where, "method": DENSE, "check": CONTROL, "ratio": 0.0})
            continue
        for method, ratio, check in product(method_labels(panel, entry), panel["ratio"], [CONTROL, *checks]):
            found.append({**where, "method": method, "check": check, "ratio": ratio})
    return found


def choose(panels: Sequence[Panel], key: str, wanted: Sequence[Any]) -> list[Panel]:
    """The panels with what is `wanted` of their `key` (methods, checks, ratio, dataset or model); without any, they go.

    A method is meant by its name, or by NAME@VARIANT; a ratio by a rounding of it.
    Raises `UserError` where no panel has one of them.
    """
    matched: set[Any] = set()
    left = []
    for panel in panels:
        held = panel[key] if isinstance(panel[key], list) else [panel[key]]
        held = [CONTROL, *held] if key == "checks" and CONTROL not in held else held
        found = [(value, match) for value in wanted if (match := _match(key, value, held)) is not None]
        matched |= {value for value, _ in found}
        kept = [one for one in held if one in [match for _, match in found]]
        if kept:
            left.append(_without_idle_options({**panel, key: kept if isinstance(panel[key], list) else kept[0]}))
    for value in wanted:
        if value not in matched:
            raise _no_such(key, value, panels)
    return left


def _match(key: str, value: Any, held: Sequence[Any]) -> Any:
    if key == "ratio":
        return nearest(float(value), held)
    if key == "methods":
        return next((one for one in held if value in (one, one.partition("@")[0])), None)
    return value if value in held else None


def _no_such(key: str, value: Any, panels: Sequence[Panel]) -> UserError:
    allowed = {one for panel in panels for one in (panel[key] if isinstance(panel[key], list) else [panel[key]])}
    if key == "ratio":
        return UserError(f"ratio={value}: the table has {', '.join(f'{one:.6g}' for one in sorted(allowed))}")
    allowed |= {one.partition("@")[0] for one in allowed} if key == "methods" else set()
    return unknown(f"{key.removesuffix('s')} of this table", value, allowed | ({CONTROL} if key == "checks" else set()))


def _without_idle_options(panel: Panel) -> Panel:
    """Options of methods and checks that are no longer in the grid are mistakes to the runner."""
    used = {entry.partition("@")[0] for entry in panel["methods"]} | {*SECTIONS}
    used |= {part.strip() for entry in panel["checks"] for part in entry.split("+")}
    return {key: value for key, value in panel.items() if "." not in key or key.partition(".")[0] in used}
