"""Compares a check with the control of the same method and ratio, seed by seed, and finds the verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reports import inference
from reports.designs import FIXED, Design
from reports.records import ran

VERDICTS = ("identical", "equivalent", "different", "undecided", "not testable", "missing")
OPEN = ("undecided", "missing")  # what more seeds may change
NAN = math.nan
ABOVE_CHANCE = 0.05  # of the way from chance to 100 %: a network that always names one class gets less
GROUPS_APART = 10  # margins between two groups of differences that are worth a note


@dataclass(frozen=True)
class Mean:
    """Mean and sample standard deviation over `n` runs; `std` is NaN for one run. `half` is half the 95 % interval."""

    n: int = 0
    mean: float = NAN
    std: float = NAN
    half: float = NAN

    @classmethod
    def of(cls, values: "pd.Series[float]") -> "Mean":
        n, mean, std = len(values), float(values.mean()), float(values.std(ddof=1))
        std = 0.0 if std < 1e-9 else std  # equal accuracies differ in the last bit after a subtraction
        return cls(n, mean, std, float(inference.half_width(std, n)))


@dataclass(frozen=True)
class Comparison:
    """A check against the control of the same method and ratio, paired by seed. p values are NaN where no test was
    possible: a single pair, or differences without any spread.

    low, high: the interval that decided, at `confidence`: that of the two one-sided tests where they found
        equivalence, else that of the test of a difference at the step of Holm's correction at which it was decided.
    family: how many tests Holm's correction was made for.
    obstacle: why it is not testable: "diverged", "dead" or "chance".
    groups: (seed, difference) of every pair, where the differences lie in two groups far apart.
    """

    difference: Mean
    verdict: str
    p_different: float = NAN  # before Holm's correction
    p_holm: float = NAN
    p_equivalent: float = NAN
    low: float = NAN
    high: float = NAN
    confidence: float = NAN
    family: int = 0
    seeds_needed: float = NAN  # for an undecided one: NaN unknown, infinity more than inference.SEEDS_LIMIT
    unpaired: int = 0  # runs of the check or of the control without a partner of the same seed
    obstacle: str = ""
    groups: tuple[tuple[int, float], ...] = ()

    @property
    def excluded(self) -> float:
        """The smallest difference, of either sign, that the interval excludes with all larger ones."""
        return max(abs(self.low), abs(self.high))

    @property
    def open(self) -> bool:
        """Whether more seeds may decide it."""
        return self.verdict in OPEN


def compare(
    done: pd.DataFrame, control: pd.DataFrame | None, metric: str, margin: float, design: Design = FIXED
) -> Comparison:
    """The comparison before Holm's correction, for which the whole claim is needed: the verdict is preliminary."""
    empty = done.iloc[:0]
    without = empty if control is None else ran(control)
    pairs = done.merge(without[["seed", metric]], on="seed", suffixes=("", "_control"))
    differences = pairs[metric] - pairs[f"{metric}_control"]
    difference = Mean.of(differences)
    unpaired = len(done) + len(without) - 2 * len(pairs)
    if pairs.empty:
        return Comparison(Mean(), "missing", unpaired=unpaired)
    if pairs["identical_to_none"].eq(True).all() and difference.mean == 0 and not difference.std > 0:
        return Comparison(difference, "identical", unpaired=unpaired)
    by_seed = tuple(zip(map(int, pairs["seed"]), map(float, differences), strict=True))
    groups = by_seed if in_two_groups(differences.to_numpy(float), GROUPS_APART * margin) else ()
    if obstacle := _obstacle(done, without, metric):
        return Comparison(difference, "not testable", unpaired=unpaired, obstacle=obstacle, groups=groups)
    numbers = difference.mean, difference.std, difference.n
    p_different = float(inference.p_different(*numbers, design))
    p_equivalent = float(inference.p_equivalent(*numbers, margin, design))
    return Comparison(difference, "undecided", p_different, NAN, p_equivalent, unpaired=unpaired, groups=groups)


def _obstacle(done: pd.DataFrame, control: pd.DataFrame, metric: str) -> str:
    """Why a difference between these runs would say nothing of the check; empty where it would."""
    if (done["status"] == "diverged").all() and (control["status"] == "diverged").all():
        return "diverged"
    if control["effective_density"].astype(float).eq(0).all():
        return "dead"
    classes = control["classes"].astype(float).max()
    return "chance" if control[metric].median() <= chance_level(classes) else ""


def chance_level(classes: float) -> float:
    """The accuracy up to which a network is not clearly better than chance; NaN for an unknown number of classes."""
    chance = 100 / classes
    return min(chance + ABOVE_CHANCE * (100 - chance), 2 * chance)


def in_two_groups(values: np.ndarray, least: float) -> bool:
    """Whether values lie in two groups: a gap of more than `least` that is 10 times as wide as all else together."""
    if len(values) < 3:
        return False
    gap = float(np.diff(np.sort(values)).max())
    return gap > least and gap > 10 * (float(np.ptp(values)) - gap)


def decided(claim: Sequence[Comparison], margin: float, alpha: float, design: Design = FIXED) -> list[Comparison]:
    """The comparisons of one claim (one check of one method in one setting, over its ratios) with their verdicts.

    Holm's correction is made over those of them that allow a test; all others come back as they are.
    """
    tested = [comparison for comparison in claim if not math.isnan(comparison.p_different)]
    p_holm = inference.holm([comparison.p_different for comparison in tested])
    verdicts = inference.decide(p_holm, [comparison.p_equivalent for comparison in tested], alpha)
    steps = inference.holm_steps([comparison.p_different for comparison in tested], alpha)
    final = iter([
        _final(replace(comparison, verdict=str(verdict), p_holm=float(p), family=len(tested)), int(step), margin, alpha,
               design)
        for comparison, p, verdict, step in zip(tested, p_holm, verdicts, steps, strict=True)
    ])  # fmt: skip
    return [comparison if math.isnan(comparison.p_different) else next(final) for comparison in claim]


def _final(comparison: Comparison, step: int, margin: float, alpha: float, design: Design) -> Comparison:
    """The comparison with the interval that decided and, where undecided, the seeds needed."""
    difference = comparison.difference
    numbers = difference.mean, difference.std, difference.n
    if comparison.verdict == "equivalent":
        (low, high), confidence = inference.interval(*numbers, alpha, 1, design), 1 - 2 * alpha
    else:
        (low, high), confidence = inference.interval(*numbers, alpha / step, 2, design), 1 - alpha / step
    needed = NAN
    if comparison.verdict == "undecided":
        needed = inference.seeds_to_decide(*numbers[:2], margin, alpha, comparison.family, design)
        needed = max(needed, difference.n + 1)
    return replace(comparison, low=low, high=high, confidence=confidence, seeds_needed=needed)
