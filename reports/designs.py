"""Names the two designs: a number of seeds fixed beforehand, or looks after as many seeds as one likes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reports import analysis, sequential

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """What turns the t statistic of n paired differences into a p value.

    p_two_sided: p of the hypothesis from which t is taken, p(t, n).
    p_one_sided: p of the means up to it.
    critical: the t at which p is alpha, critical(n, alpha, sides); infinite where n differences cannot reach it.
    """

    name: str
    p_two_sided: Callable[[ArrayLike, ArrayLike], Floats]
    p_one_sided: Callable[[ArrayLike, ArrayLike], Floats]
    critical: Callable[[int, float, int], float]


FIXED = Design(
    analysis.FIXED,
    lambda t, n: np.asarray(2 * special.stdtr(np.asarray(n) - 1, -np.abs(np.asarray(t)))),
    lambda t, n: np.asarray(special.stdtr(np.asarray(n) - 1, -np.asarray(t))),
    lambda n, alpha, sides: float(-special.stdtrit(n - 1, alpha / sides)),
)
SEQUENTIAL = Design(analysis.SEQUENTIAL, sequential.p_two_sided, sequential.p_one_sided, sequential.critical)
DESIGNS = {design.name: design for design in (FIXED, SEQUENTIAL)}


def design_of(name: str) -> Design:
    """The design that an `Analysis` names."""
    return DESIGNS[name]
