"""The hypothesis tests behind the verdicts, on arrays, so that a simulation can check their error rates.

Accuracies and differences are in percentage points; a difference is always check minus control, paired by seed.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # its other parts are imported where they are needed: they take a second

from reports.designs import FIXED, Design

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
POWER = 0.8  # a planned number of seeds is worth its hours if it decides four times out of five
SEEDS_LIMIT = 1000  # beyond this nobody runs them, and the estimate of the spread does not carry that far


def _standard_error(std: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Standard error of a mean and its degrees of freedom; NaN where fewer than two runs, or no spread, allow none."""
    std, n = np.asarray(std, dtype=float), np.asarray(n, dtype=float)
    usable = (n > 1) & (std > 0)
    n = np.where(usable, n, 2.0)
    return np.where(usable, std / np.sqrt(n), np.nan), n - 1


def half_width(std: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE) -> Floats:
    """Half the t interval of a mean of `n` values with sample standard deviation `std`; NaN where undefined."""
    error, freedom = _standard_error(std, n)
    return np.asarray(special.stdtrit(freedom, 0.5 + confidence / 2) * error)


def p_different(mean: ArrayLike, std: ArrayLike, n: ArrayLike, design: Design = FIXED) -> Floats:
    """Two-sided p of the paired t-test that the mean difference is zero; NaN where undefined."""
    error, freedom = _standard_error(std, n)
    return design.p_two_sided(np.asarray(mean) / error, freedom + 1)


def p_equivalent(mean: ArrayLike, std: ArrayLike, n: ArrayLike, margin: float, design: Design = FIXED) -> Floats:
    """p of two one-sided paired t-tests (Schuirmann 1987) that |difference| >= `margin`; NaN where undefined."""
    error, freedom = _standard_error(std, n)
    return design.p_one_sided((margin - np.abs(np.asarray(mean))) / error, freedom + 1)


def interval(mean: float, std: float, n: int, alpha: float, sides: int, design: Design = FIXED) -> tuple[float, float]:
    """The differences that a test at `alpha` does not exclude, [low, high]; NaN where undefined.

    sides: 2 for the test of a difference; 1 for two one-sided tests, each at `alpha`.
    """
    error = float(_standard_error(std, n)[0])
    half = design.critical(n, alpha, sides) * error if error > 0 else math.nan
    return mean - half, mean + half


def holm(p: ArrayLike) -> Floats:
    """Holm's adjusted p values; a family is the last axis. NaN (no test was possible) stays NaN and does not count.

    Holm 1979. Written out since statsmodels' does one family a call and collects garbage in each, which no simulation
    can afford.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, axis=-1)  # NaN last
    tests = (~np.isnan(p)).sum(axis=-1, keepdims=True)
    steps = np.take_along_axis(p, order, axis=-1) * (tests - np.arange(p.shape[-1]))
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(steps, axis=-1), 1), axis=-1)
    return adjusted


def holm_steps(p: ArrayLike, alpha: float) -> NDArray[np.int_]:
    """By how much Holm's procedure divides `alpha` for each p of one family: at its own step where that is rejected,
    else at the step at which the procedure ends. So a p lies below alpha / step exactly where it is rejected.
    """
    p = np.asarray(p, dtype=float)
    adjusted = holm(p)
    rank = np.argsort(np.argsort(p, kind="stable"), kind="stable")
    rejected = int((adjusted < alpha).sum())
    return np.asarray(len(p) - np.minimum(rank, rejected))


def decide(p_holm: ArrayLike, p_equal: ArrayLike, alpha: float) -> NDArray[np.str_]:
    """ "equivalent", "different" or "undecided" for each comparison.

    Equivalence goes first: a difference that is real but surely smaller than the margin is one that does not matter.
    """
    verdict = np.where(np.nan_to_num(np.asarray(p_holm), nan=1.0) < alpha, "different", "undecided")
    return np.where(np.nan_to_num(np.asarray(p_equal), nan=1.0) < alpha, "equivalent", verdict)


def degrees(
    verdicts: ArrayLike, p: ArrayLike, p_apart: ArrayLike, p_small: ArrayLike, alpha: float
) -> NDArray[np.str_]:
    """The verdicts of `decide` with more degrees for what is undecided: "likely different" where a test finds a
    difference before Holm's correction or every run lies apart (`p_runs_apart`), else "small or none" where the two
    one-sided tests succeed at a wider margin.
    """
    difference, apart, small = (
        np.nan_to_num(np.asarray(values, dtype=float), nan=1.0) for values in (p, p_apart, p_small)
    )
    degree = np.where(small < alpha, "small or none", "undecided")
    degree = np.where(np.minimum(difference, apart) < alpha, "likely different", degree)
    return np.where(np.asarray(verdicts) == "undecided", degree, verdicts)


def p_runs_apart(check: ArrayLike, control: ArrayLike) -> Floats:
    """p that one more run of the control would lie as far off its mean as the nearest run of the check does, provided
    that these lie all on one side; else 1. Runs along the last axis; NaN below three runs or where the control's do
    not vary.

    By the prediction interval of a normal sample (Hahn 1969). Since every run must lie outside of it and not just one,
    it is far below its level for a check without effect (see docs/statistics.md).
    """
    check, control = np.asarray(check, dtype=float), np.asarray(control, dtype=float)
    n = control.shape[-1]
    if min(n, check.shape[-1]) < 3:
        return np.full(control.shape[:-1], np.nan)
    off = check - control.mean(-1, keepdims=True)
    nearest = np.where((off > 0).all(-1) | (off < 0).all(-1), np.abs(off).min(-1), 0.0)
    error = control.std(-1, ddof=1) * math.sqrt(1 + 1 / n)
    varies = error > 1e-9
    return np.where(varies, 2 * special.stdtr(n - 1, -nearest / np.where(varies, error, 1.0)), np.nan)


def skewed(values: ArrayLike, alpha: float = 1 - CONFIDENCE) -> bool:
    """Whether values lie too unevenly about their mean to come from a symmetric bell (D'Agostino's test, 1970).

    From eight values on; fewer do not show it.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 8 or float(np.std(values)) <= 1e-9:
        return False
    from scipy import stats  # takes half a second to import

    return float(stats.skewtest(values).pvalue) < alpha


def seeds_to_decide(
    mean: float, std: float, margin: float, alpha: float, family: int = 1, design: Design = FIXED
) -> float:
    """The smallest number of seeds at which either verdict is reached with power 0.8, were `mean` and `std` the truth.

    The test for a difference runs at alpha / `family`, the most severe of Holm's steps. NaN where nothing is known of
    the spread, infinity beyond `SEEDS_LIMIT`.
    """
    if not (math.isfinite(mean) and std > 0):
        return math.nan
    needed = min(
        _smallest(lambda n: _power_different(mean, std, n, alpha / max(family, 1), design)),
        _smallest(lambda n: _power_equivalent(mean, std, n, margin, alpha, design)),
    )
    return needed if needed <= SEEDS_LIMIT else math.inf


def detectable(std: float, n: int, alpha: float, design: Design = FIXED) -> float:
    """The smallest true difference that the test at `alpha` finds with power 0.8; NaN where no test is possible."""
    if not (std > 0 and n > 1 and math.isfinite(design.critical(n, alpha, 2))):
        return math.nan
    from scipy import optimize  # takes a fifth of a second to import

    beyond = std / math.sqrt(n) * 4 * (design.critical(n, alpha, 2) + 1)
    return float(optimize.brentq(lambda mean: _power_different(mean, std, n, alpha, design) - POWER, 0, beyond))


def _power_different(mean: float, std: float, n: int, alpha: float, design: Design) -> float:
    critical = design.critical(n, alpha, 2)
    return _exceeds(critical, n, abs(mean) * math.sqrt(n) / std) if math.isfinite(critical) else 0.0


def _exceeds(critical: float, n: int, noncentrality: float) -> float:
    """The chance that a noncentral t statistic of `n` differences is above `critical`.

    The lower tail of its mirror image, at which nothing cancels. What underflows, and is NaN in SciPy, is 0.
    """
    chance = float(special.nctdtr(n - 1, -noncentrality, -critical))
    return 0.0 if math.isnan(chance) else chance


def _power_equivalent(mean: float, std: float, n: int, margin: float, alpha: float, design: Design) -> float:
    """A lower bound (Bonferroni's) on the power of both one-sided tests together, close where it matters (>= 0.8)."""
    critical, scale = design.critical(n, alpha, 1), math.sqrt(n) / std
    if not math.isfinite(critical):
        return 0.0
    above, below = (_exceeds(critical, n, (margin + side * mean) * scale) for side in (1, -1))
    return above + below - 1


def _smallest(power: Callable[[int], float]) -> float:
    """The smallest n >= 2 with enough power, by doubling and bisection (power grows with n)."""
    low, high = 1, 2
    while not power(high) >= POWER:
        if high > SEEDS_LIMIT:
            return math.inf
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


def against_known(std: float, n: int, other_std: float, other_n: float) -> float:
    """Half the 95 % interval of the difference of two independent means (Welch 1947).

    `other_std` NaN: the other runs are taken to spread as ours do; with `other_n` NaN as well, their mean is taken as
    exact. `other_n` NaN alone: its standard deviation is taken as the error of its mean, the widest reading. NaN where
    our own runs have no spread to speak of.
    """
    error, freedom = (float(value) for value in _standard_error(std, n))
    if math.isnan(error):
        return math.nan
    if math.isnan(other_std) and not math.isnan(other_n):
        return float(half_width(std, n)) * math.sqrt(1 + n / other_n)
    other = 0.0 if math.isnan(other_std) else other_std / math.sqrt(1 if math.isnan(other_n) else other_n)
    denominator = error**4 / freedom
    if not math.isnan(other_n) and other_n > 1:
        denominator += other**4 / (other_n - 1)
    total = error**2 + other**2
    return float(special.stdtrit(total**2 / denominator, 0.5 + CONFIDENCE / 2) * math.sqrt(total))
