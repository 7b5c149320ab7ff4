"""Reference sets: what many methods reach by one recipe, to set a new method beside. Naming them needs no pandas.

A set is NAME.toml, which describes its grid as keys of `python -m sanity.run`, one panel a run, and the folder NAME
with the records that were measured of it. A method of one's own runs what the first panel of each ratio asks for.
"""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reproductions.panels import Panel, without_idle_options
from sanity.config import nested
from sanity.errors import unknown

HERE = Path(__file__).parent


def names() -> list[str]:
    """Returns the names of all sets."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def listing() -> str:
    """Returns the sets, a line each."""
    width = max(map(len, names()))
    return "\n".join(f"  {name:<{width}}  {declaration(name)['title']}" for name in names())


def about(name: str) -> str:
    """Describes a set: what it holds and which grid it asks for. Raises `UserError` for an unknown name."""
    declared = declaration(name)
    grids = []
    for panel in panels(name):
        count, ratios = len(panel["methods"]), ", ".join(f"{ratio:g}" for ratio in panel["ratio"])
        grids.append(f"  {count} {'method' if count == 1 else 'methods'} at {ratios}: {', '.join(panel['checks'])}")
    seeds = f"seeds {', '.join(map(str, declared['run']['seeds']))}"
    return "\n".join([f"{name}: {declared['title']}", "", declared["description"].strip(), "", seeds, *grids])


def declaration(name: str) -> dict[str, Any]:
    """Returns what NAME.toml says. Raises `UserError` for an unknown name."""
    if name not in names():
        raise unknown("reference", name, names())
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))


def panels(name: str, methods: Sequence[str] = ()) -> list[Panel]:
    """Returns the runs of a set, as keys that `sanity.config.from_mapping` takes.

    methods: instead of the set's own; each ratio is then run once, as the first panel that has it says.
    Raises `UserError` for an unknown name.
    """
    declared = declaration(name)
    own = [nested({**declared["run"], **panel}) for panel in declared["panel"]]
    return [without_idle_options(panel) for panel in (_with_methods(own, methods) if methods else own)]


def _with_methods(panels: Sequence[Panel], methods: Sequence[str]) -> Iterator[Panel]:
    """Yields the panels with other methods; a ratio of several panels stays in the first."""
    seen: set[float] = set()
    for panel in panels:
        ratios = [ratio for ratio in panel["ratio"] if ratio not in seen]
        seen |= set(ratios)
        if ratios:
            yield {**panel, "methods": list(methods), "ratio": ratios}
