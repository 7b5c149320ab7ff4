"""Sets the number that a paper prints beside ours, with the error of their difference."""

import math
from dataclasses import dataclass

from reports import inference
from reports.comparisons import Mean
from reports.runs import Runs

PRINTED = ("paper_mean", "paper_std", "paper_n", "paper_metric", "paper_source", "paper_printed")


@dataclass(frozen=True)
class PaperDelta:
    """The paper's number for a cell, and ours minus it. `errors`: whose errors the interval counts; "assumed": both,
    where the paper states the number of its runs but not their spread, which is then taken to be that of ours.

    half: half the 95 % interval of the difference of the means, widened by what the paper may have rounded away.
    other: the delta of our other accuracy, last or best.
    """

    mean: float
    std: float
    n: float
    metric: str  # what the paper reports: "last", "best", "early_stopping" or "unstated"
    compared: str  # which of our accuracies it was compared with
    source: str
    ours: Mean
    delta: float
    half: float
    other: float
    errors: str  # "both", "assumed", "ours" (their mean is taken as exact), "none" (no interval)
    diverged: int = 0  # of our runs

    @property
    def inside(self) -> bool | None:
        """Whether the paper's number lies inside the interval around ours; None where there is no interval, or one
        that a diverged run made wide enough for anything."""
        return None if math.isnan(self.half) or self.diverged else abs(self.delta) <= self.half


def paper_delta(rows: Runs, done: Runs, metric: str) -> PaperDelta | None:
    """Returns the delta of a cell to the paper; None where the paper prints no number for it.

    rows: all records of the cell. done: those with a result. metric: last or best, where the paper does not say which,
    or states the accuracy at early stopping, which not every run has.
    """
    printed = rows.where("paper_mean", lambda mean: not math.isnan(mean))
    if not len(printed):
        return None
    row = {name: printed[name][0] for name in PRINTED if name in printed.columns}
    stated = row["paper_metric"] if row["paper_metric"] in ("last", "best", "early_stopping") else "unstated"
    compared = stated if stated in ("last", "best") or _has_all(stated, done) else metric
    ours = Mean.of(done[compared])
    mean, std, n = float(row["paper_mean"]), float(row["paper_std"]), float(row["paper_n"])
    half = inference.against_known(ours.std, ours.n, std, n) + _rounding(row.get("paper_printed"))
    errors = "none" if math.isnan(half) else "both" if std >= 0 else "assumed" if n > 0 else "ours"
    source = row["paper_source"] if isinstance(row["paper_source"], str) else ""
    other = Mean.of(done["best" if compared == "last" else "last"]).mean - mean
    diverged = done["status"].count("diverged")
    return PaperDelta(mean, std, n, stated, compared, source, ours, ours.mean - mean, half, other, errors, diverged)


def _has_all(metric: str, done: Runs) -> bool:
    """Whether every run has the accuracy at early stopping, which a paper states."""
    return metric == "early_stopping" and len(done) > 0 and not any(map(math.isnan, done[metric]))


def _rounding(printed: object) -> float:
    """The most that a number differs from what it was before it was printed: 0.05 of "1.6"; 0 where that is unknown."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2]) if isinstance(printed, str) else 0.0
