"""Names what a claim can be about: accuracies, the epoch of early stopping, the share of weights that take part."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reports.comparisons import Comparison, Mean

LAST = "last_test_accuracy"
PERCENT, POINTS = "percent", "points"


@dataclass(frozen=True)
class Outcome:
    """A number that every run has.

    values: prepared records -> the number of each, NaN where a record has none. unit: of differences and of the margin.
    accuracy: whether it is a test accuracy, of which a claim may say that it is better or worse.
    """

    values: Callable[[pd.DataFrame], pd.Series]
    unit: str = POINTS
    accuracy: bool = False

    @property
    def relative(self) -> bool:
        """Whether two values are compared by their ratio, as in "a third fewer": the mean is the geometric one."""
        return self.unit == PERCENT

    def scaled(self, frame: pd.DataFrame) -> pd.Series:
        """Returns what is subtracted seed by seed: the values, or a hundred times their natural logarithm."""
        values = self.values(frame).astype(float)
        return 100 * values.where(values > 0).map(math.log) if self.relative else values

    def mean(self, scaled: Sequence[float]) -> float:
        """Returns the mean of scaled values as a value: where these are logarithms, the geometric mean."""
        mean = float(np.mean(scaled))
        return math.exp(mean / 100) if self.relative else mean

    def margin(self, margin: float) -> float:
        """Returns the margin on the scale of `scaled`: one of 25 % holds values between 4/5 and 5/4 for equal."""
        return 100 * math.log1p(margin / 100) if self.relative else margin

    def restored(self, comparison: Comparison) -> Comparison:
        """Returns a comparison of scaled values in the outcome's unit. Standard deviations have no such form."""
        if not self.relative:
            return comparison
        difference = Mean(comparison.difference.n, _percent(comparison.difference.mean))
        seeds = tuple((seed, _percent(moved)) for seed, moved in comparison.seeds)
        low, high = _percent(comparison.low), _percent(comparison.high)
        return replace(comparison, difference=difference, low=low, high=high, seeds=seeds)


def _percent(scaled: float) -> float:
    return 100 * math.expm1(scaled / 100)


def _column(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: frame[name] if name in frame.columns else pd.Series(math.nan, index=frame.index)


def _live_weights(frame: pd.DataFrame) -> pd.Series:
    """Returns which share of the kept weights lies on a path from input to output, in percent."""
    return 100 * frame["effective_density"] / (frame["kept"] / frame["prunable"])


OUTCOMES: Mapping[str, Outcome] = {
    LAST: Outcome(_column("last"), accuracy=True),
    "start_test_accuracy": Outcome(_column("start_test_accuracy"), accuracy=True),
    "early_stop_test_accuracy": Outcome(_column("early_stop_test_accuracy"), accuracy=True),
    "early_stop_epoch": Outcome(_column("early_stop_epoch"), unit=PERCENT),
    "live_weights": Outcome(_live_weights),
}
"""Name of an outcome, as a claim states it -> where it stands in the records."""
