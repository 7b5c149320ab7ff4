"""What the search of a cell costs, beside its accuracy: gradients of single examples, seconds, and operations left."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reports.runs import NAN, Runs
from reports.validation import number


@dataclass(frozen=True)
class SearchCost:
    """Means over the runs of a cell; NaN where records do not say it, as those of older versions.

    gradients: of single examples that take as many operations as the passes of the search. before: those of the
    trainings that the search starts from. training: those of the ticket's own training. schedule: of a dense training.
    seconds: of the search. seconds_before: of those trainings, at the pace of the ticket's own. whole, kept: operations
    of one example's forward pass, of the whole network and of the kept weights alone.
    """

    gradients: float = NAN
    before: float = NAN
    training: float = NAN
    schedule: float = NAN
    seconds: float = NAN
    seconds_before: float = NAN
    whole: float = NAN
    kept: float = NAN

    @classmethod
    def of(cls, done: Runs) -> "SearchCost":
        """Returns the costs of the runs of one cell that took place."""
        costs = [cost if isinstance(cost, Mapping) else {} for cost in done.get("search_cost")]
        sizes = [size if isinstance(size, Mapping) else {} for size in done.get("operations")]
        seconds = [number(value) for value in done.get("wall_s")]

        def of_search(name: str) -> float:
            return _mean(number(cost.get(name)) for cost in costs)

        return cls(
            gradients=of_search("gradients"),
            before=of_search("before"),
            training=of_search("training"),
            schedule=of_search("schedule"),
            seconds=_mean(number(value) for value in done.get("search_s")),
            seconds_before=_mean(_at_pace(cost, wall) for cost, wall in zip(costs, seconds, strict=False)),
            whole=_mean(number(size.get("whole")) for size in sizes),
            kept=_mean(number(size.get("kept")) for size in sizes),
        )

    @property
    def is_known(self) -> bool:
        """Whether any record says something of passes or operations."""
        return not all(math.isnan(value) for value in (self.gradients, self.before, self.whole))

    @property
    def share(self) -> float:
        """What search and trainings before it take of a dense training."""
        return (self.gradients + self.before) / self.schedule if self.schedule else NAN

    @property
    def operations(self) -> float:
        """The share of the operations that the kept weights would take alone."""
        return self.kept / self.whole if self.whole else NAN


def _at_pace(cost: Mapping[str, Any], seconds: float) -> float:
    """Returns what the trainings before the ticket's take in seconds, at the pace of the ticket's own."""
    before, training = number(cost.get("before")), number(cost.get("training"))
    return 0.0 if before == 0 else before / training * seconds if training else NAN


def _mean(values: Iterable[float]) -> float:
    """The mean of those values that are there."""
    there = [value for value in values if not math.isnan(value)]
    return sum(there) / len(there) if there else NAN


def flat(cost: SearchCost) -> dict[str, float]:
    """Returns the costs by the names of their columns."""
    return {
        "search_gradients": cost.gradients,
        "gradients_before": cost.before,
        "ticket_gradients": cost.training,
        "dense_gradients": cost.schedule,
        "search_seconds": cost.seconds,
        "seconds_before": cost.seconds_before,
        "operations": cost.whole,
        "kept_operations": cost.kept,
    }
