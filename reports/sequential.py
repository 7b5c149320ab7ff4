"""Computes tests of the t statistic whose error holds however often one looks (e-processes).

The differences of a comparison are taken to be normal with unknown mean and standard deviation. An e-process is a
running bet against a hypothesis: while the hypothesis is true, the chance that it ever reaches 1 / alpha is at most
alpha. The bet here mixes over effect sizes (mean over standard deviation) by a normal distribution of variance 1 / c2
around the hypothesis, which has a closed form (Lai 1976; Wang and Ramdas 2023, anytime-valid t-tests). A one-sided bet
uses the half of it on its side; since the density of the t statistic has a monotone likelihood ratio, it holds for
every mean on the other side too.

A report uses the value at the seeds that it has. That value does not depend on the order of the seeds.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

C2 = 1.0
"""Chosen by simulation (see docs/statistics.md): within 14 % of the fewest seeds that any of 0.5, 1, 2, 4, 8 and 16
needs, both where differences hardly vary and where they vary by twice the margin."""
_LARGEST_T = 1e8
_LARGEST_LOG = 700.0  # e to the power of more is no float


def e_two_sided(t: ArrayLike, n: ArrayLike, c2: float = C2) -> Floats:
    """e-value, with `n` differences, against the mean from which their t statistic is taken."""
    return _exp(_log_two_sided(np.asarray(t, dtype=float), np.asarray(n, dtype=float), c2))


def e_one_sided(t: ArrayLike, n: ArrayLike, c2: float = C2) -> Floats:
    """e-value, with `n` differences, against every mean up to the one from which their t statistic is taken."""
    t, n = np.asarray(t, dtype=float), np.asarray(n, dtype=float)
    place = t * n / np.sqrt((n + c2) * (n - 1) + c2 * t**2)
    half = np.log(2) + np.log(special.stdtr(n, place))  # twice the posterior probability of its side
    return _exp(_log_two_sided(t, n, c2) + half)


def _exp(values: Floats) -> Floats:
    return np.asarray(np.exp(np.minimum(values, _LARGEST_LOG)))


def _log_two_sided(t: Floats, n: Floats, c2: float) -> Floats:
    """log of sqrt(c2 / (n + c2)) * (1 - S^2 / ((n + c2) V))^(-n / 2), with S and V the sum and the sum of squares."""
    share = n * t**2 / ((n + c2) * (n - 1 + t**2))
    return np.asarray(0.5 * np.log(c2 / (n + c2)) - n / 2 * np.log1p(-share))


def p_two_sided(t: ArrayLike, n: ArrayLike) -> Floats:
    """1 / e, at most 1; NaN where `t` is."""
    return np.minimum(1.0, 1 / e_two_sided(t, n))


def p_one_sided(t: ArrayLike, n: ArrayLike) -> Floats:
    """1 / e, at most 1; NaN where `t` is."""
    return np.minimum(1.0, 1 / np.maximum(e_one_sided(t, n), np.finfo(float).tiny))


@cache
def critical(n: int, alpha: float, sides: int) -> float:
    """The t statistic at which e reaches 1 / `alpha`; infinity where `n` differences are too few for any to do so."""
    e = e_two_sided if sides == 2 else e_one_sided

    def excess(t: float) -> float:
        return float(np.log(e(t, n))) + np.log(alpha)

    return _root(excess) if excess(_LARGEST_T) > 0 else np.inf


def _root(excess: Callable[[float], float]) -> float:
    """The least number at which a function that rises from below 0 is above 0, by bisection to the last bit.

    SciPy's root finders take longer to import than all roots of a report.
    """
    low, high = 0.0, _LARGEST_T
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return high
