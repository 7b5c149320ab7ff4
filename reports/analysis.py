"""Says how records become verdicts: which accuracy, which margin, which error rate, and how seeds were chosen."""

from dataclasses import asdict, dataclass
from typing import Any

from sanity.errors import UserError, unknown

MARGIN = 0.5  # percentage points
ALPHA = 0.05
METRICS = {"last": "last_test_accuracy", "best": "best_test_accuracy"}
DESIGNS = FIXED, SEQUENTIAL = ("fixed", "sequential")
COMPARE = ("methods", "none")


@dataclass(frozen=True)
class Analysis:
    """Holds what is decided before any result is seen. Raises `UserError` for a value that there is not.

    metric: "last" or "best" test accuracy, never mixed but where a paper reports the other one: its delta is then taken
        to our accuracy of that kind.
    margin: within how many percentage points two accuracies count as equivalent.
    alpha: how often a verdict may be wrong, within each claim.
    design: "fixed", where the number of seeds was chosen beforehand, or "sequential", for seeds that are added as one
        likes. Records that were looked at before with fewer seeds (column `earlier_look`) are judged as sequential in
        any case.
    compare: "methods" also compares each method with random and with magnitude pruning, where these are among the
        records; "none" does not.
    """

    metric: str = "last"
    margin: float = MARGIN
    alpha: float = ALPHA
    design: str = FIXED
    compare: str = "methods"

    def __post_init__(self) -> None:
        for name, value, values in (
            ("metric", self.metric, METRICS),
            ("design", self.design, DESIGNS),
            ("comparison", self.compare, COMPARE),
        ):
            if value not in values:
                raise unknown(name, value, values)
        if not 0 < self.margin <= 100:
            raise UserError(f"margin={self.margin:g}: should be greater than 0 and at most 100 points")
        if not 0 < self.alpha < 1:
            raise UserError(f"alpha={self.alpha:g}: should be between 0 and 1")

    def changed(self) -> dict[str, Any]:
        """What differs from the defaults."""
        return {name: value for name, value in asdict(self).items() if value != getattr(Analysis, name)}


USUAL = Analysis()
"""Of a report that says nothing else."""
