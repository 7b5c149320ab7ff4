"""Names the nested family of checks that decomposes what a ticket is worth (`checks=decompose`).

Each level keeps all that the one before keeps, and one thing more. What it does not keep is drawn anew, so the accuracy
that a level adds is that of the one thing. Imports no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FAMILY = "decompose"
"""The entry of the key `checks` that stands for all levels."""
BASE = "random"
"""The method that keeps nothing but the number of weights: the decomposition starts at its accuracy."""


@dataclass(frozen=True)
class Level:
    """One level. `keeps`: what it keeps beyond the level before; `check`: its label, `none` for the ticket itself."""

    keeps: str
    check: str


LEVELS = (
    Level("layer counts", "layerwise_rearrange+reinit"),
    Level("unit degrees", "rewire+reinit"),
    Level("edges", "reinit"),
    Level("signs", "signed_reinit"),
    Level("values", "none"),
)


def expanded(checks: Sequence[str]) -> list[str]:
    """Returns the entries of the key `checks` with the levels, each once, in place of `decompose`."""
    levels = [level.check for level in LEVELS[:-1]] if FAMILY in checks else []
    entries = [entry for check in checks for entry in (levels if check == FAMILY else [check])]
    return list(dict.fromkeys(entries))
