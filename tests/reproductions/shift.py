"""A check in a package, as somebody else's would be."""

from dataclasses import dataclass

from checks.base import Check


@dataclass(frozen=True, kw_only=True)
class Shift(Check):
    """Changes nothing.

    by: how far.
    """

    by: int = 1
