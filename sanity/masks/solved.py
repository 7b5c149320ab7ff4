"""Holds a mask with what solving for it took, of methods that solve optimisation problems under a time limit."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sanity.prunable import Mask


class SolvedMask(Mask):
    """Holds a mask, the seconds that each of its problems took, and the seconds that each might have taken."""

    seconds: tuple[float, ...] = ()
    time_limit: float = 0.0


def solver(mask: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Returns what a record says of the problems: how many, the slowest, the limit; None for masks without problems.

    `reached` says whether one of them met the limit: never of a mask, since such a search ends with an error instead.
    """
    if not isinstance(mask, SolvedMask) or not mask.seconds:
        return None
    facts = {"problems": len(mask.seconds), "slowest_s": max(mask.seconds), "time_limit_s": mask.time_limit}
    return {**facts, "reached": False}
