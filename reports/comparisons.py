"""Compares the runs of a check with those of the control of the same method and ratio, seed by seed."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from reports import inference
from reports.designs import FIXED, Design
from reports.runs import Runs, average, highest, median, recorded

VERDICTS = ("identical", "equivalent", "small or none", "different", "likely different", "undecided", "not testable",
            "missing")  # fmt: skip
OPEN = ("small or none", "likely different", "undecided", "missing")  # what more seeds may change
BY_CONSTRUCTION = {"null": "null", "same function": "function"}  # predictions of what cannot matter, as obstacles
NAN = math.nan
WIDER = 2  # times the margin: the bound of "small or none"
ABOVE_CHANCE = 0.05  # of the way from chance to 100 %: a network that always names one class gets less
FAR = 10  # margins between two groups of differences, or between the lowest and the highest, that are worth a note


@dataclass(frozen=True)
class Mean:
    """Mean and sample standard deviation over `n` runs; `std` is NaN for one run. `half` is half the 95 % interval."""

    n: int = 0
    mean: float = NAN
    std: float = NAN
    half: float = NAN

    @classmethod
    def of(cls, values: ArrayLike) -> "Mean":
        """Returns those of the values, in whose mean and deviation the ones that are not there do not count."""
        numbers, there = np.asarray(values, dtype=float), recorded(values)
        n, mean = len(numbers), average(there)
        std = math.sqrt(((mean - there) ** 2).sum() / (len(there) - 1)) if len(there) > 1 else NAN
        std = 0.0 if std < 1e-9 else std  # equal accuracies differ in the last bit after a subtraction
        return cls(n, mean, std, float(inference.half_width(std, n)))


@dataclass(frozen=True)
class Comparison:
    """A check against the control of the same method and ratio, paired by seed. p values are NaN where no test was
    possible: a single pair, or differences without any spread.

    p_different: before Holm's correction.
    p_small: of equivalence within `WIDER` margins.
    p_apart: that another run of the control lies as far off as the nearest of the check.
    low, high: the interval that decided, at `confidence`: that of the two one-sided tests where they found
        equivalence (within the margin, or within `WIDER` of them), else that of the test of a difference: at the step
        of Holm's correction at which it was decided, or without correction where it is likely only.
    family: how many tests Holm's correction was made for.
    seeds_needed: for one that is open: NaN unknown, infinity more than inference.SEEDS_LIMIT.
    unpaired: runs of the check or of the control without a partner of the same seed.
    obstacle: why it is not testable: "diverged", "dead", "chance"; "null" or "function" where by construction the check
        cannot matter: it exchanges one random draw for another, or the network computes the same function.
    manner: what else must be known of the verdict: "wide" (seeds too far apart for a mean to describe them), "runs"
        (likely, since every run lies apart), "skewed" (not called equivalent for that reason).
    found: the verdict that the numbers alone give, where `verdict` is another since the check cannot matter.
    seeds: (seed, difference) of every pair.
    in_groups: whether the differences lie in two groups far apart.
    """

    difference: Mean
    verdict: str
    p_different: float = NAN
    p_holm: float = NAN
    p_equivalent: float = NAN
    p_small: float = NAN
    p_apart: float = NAN
    low: float = NAN
    high: float = NAN
    confidence: float = NAN
    family: int = 0
    seeds_needed: float = NAN
    unpaired: int = 0
    obstacle: str = ""
    manner: str = ""
    found: str = ""
    seeds: tuple[tuple[int, float], ...] = ()
    in_groups: bool = False

    @property
    def excluded(self) -> float:
        """The smallest difference, of either sign, that the interval excludes with all larger ones."""
        return max(abs(self.low), abs(self.high))

    @property
    def open(self) -> bool:
        """Whether more seeds may decide it."""
        return self.verdict in OPEN

    @property
    def tested(self) -> bool:
        """Whether a test was possible."""
        return not math.isnan(self.p_different)

    @property
    def scattered(self) -> bool:
        """Whether the differences of the seeds say more than a mean with an interval."""
        return self.manner in ("wide", "runs")


def compare(
    done: Runs, control: Runs | None, metric: str, margin: float, design: Design = FIXED, accuracy: str = ""
) -> Comparison:
    """The comparison before Holm's correction, for which the whole claim is needed: the verdict is preliminary.

    done, control: the trainings that took place, each seed once.
    metric: the column that is compared. accuracy: the column that tells whether they learnt anything, where that is
        another one.
    """
    without = Runs(done.columns, ()) if control is None else control
    of_control = dict(zip(without["seed"], without[metric], strict=True))
    pairs = Runs(done.columns, [row for row in done.rows if done.columns["seed"][row] in of_control])
    unpaired = len(done) + len(without) - 2 * len(pairs)
    if not len(pairs):
        return Comparison(Mean(), "missing", unpaired=unpaired)
    accuracies = np.array(pairs[metric], dtype=float)
    controls = np.array([of_control[seed] for seed in pairs["seed"]], dtype=float)
    values = accuracies - controls
    difference = Mean.of(values)
    if all(same == 1 for same in pairs["identical_to_none"]) and difference.mean == 0 and not difference.std > 0:
        return Comparison(difference, "identical", unpaired=unpaired)
    seeds = tuple(zip(map(int, pairs["seed"]), map(float, values), strict=True))
    groups = in_two_groups(values, FAR * margin)
    paired = Comparison(difference, "undecided", unpaired=unpaired, seeds=seeds, in_groups=groups)
    if obstacle := _obstacle(done, without, accuracy or metric):
        return replace(paired, verdict="not testable", obstacle=obstacle)
    numbers = difference.mean, difference.std, difference.n
    return replace(
        paired,
        p_different=float(inference.p_different(*numbers, design)),
        p_equivalent=float(inference.p_equivalent(*numbers, margin, design)),
        p_small=float(inference.p_equivalent(*numbers, WIDER * margin, design)),
        p_apart=float(inference.p_runs_apart(accuracies, controls)),
        obstacle=next((word for name, word in BY_CONSTRUCTION.items() if set(pairs["predicted"]) == {name}), ""),
    )


def _obstacle(done: Runs, control: Runs, metric: str) -> str:
    """Why a difference between these runs would say nothing of the check; empty where it would."""
    sides = done, control
    if all(set(runs["status"]) == {"diverged"} for runs in sides):
        return "diverged"
    if all(median(runs["effective_density"]) == 0 for runs in sides):
        return "dead"
    level = chance_level(highest(control["classes"]))
    return "chance" if all(median(runs[metric]) <= level for runs in sides) else ""


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
