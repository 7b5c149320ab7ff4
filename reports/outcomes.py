"""What a ticket can do besides its last and best accuracy: at its start, right after pruning, after every round."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.runs import Runs
from reports.validation import number

NAN = math.nan
ORDERS, CONTROL = "barrier_orders_test", "barrier_control_test"
EARLY_STOP, EARLY_EPOCH = "early_stop_test_accuracy", "early_stop_epoch"
START, PRUNED, ROUNDS = "start_test_accuracy", "pruned_test_accuracy", "round_test_accuracies"


@dataclass(frozen=True)
class Outcomes:
    """Means over the runs of a cell, in percent; NaN, or no rounds, where records say nothing of them.

    start: before training. pruned: right after pruning trained weights. rounds: at the end of every training before
    the final one, the dense network's first. early_stop, early_epoch: test accuracy in the epoch of the smallest loss
    on the training examples that the recipe holds out, and the number of that epoch. barrier_orders, barrier_control:
    how far the test error rises between two trainings of the ticket, and between the ticket and its control
    (`outcome=barrier`), in points.
    """

    start: float = NAN
    pruned: float = NAN
    rounds: tuple[float, ...] = ()
    early_stop: float = NAN
    early_epoch: float = NAN
    barrier_orders: float = NAN
    barrier_control: float = NAN

    @classmethod
    def of(cls, done: Runs) -> "Outcomes":
        """Returns the outcomes of the runs of one cell that took place."""
        lists = [rounds for rounds in done.get(ROUNDS) if isinstance(rounds, list | tuple)]
        longest = max(map(len, lists), default=0)
        rounds = tuple(_mean([number(row[place]) for row in lists if place < len(row)]) for place in range(longest))
        return cls(
            start=_of_column(done, START),
            pruned=_of_column(done, PRUNED),
            rounds=rounds,
            early_stop=_of_column(done, EARLY_STOP),
            early_epoch=_of_column(done, EARLY_EPOCH),
            barrier_orders=_of_column(done, ORDERS),
            barrier_control=_of_column(done, CONTROL),
        )


def _of_column(done: Runs, name: str) -> float:
    return _mean([number(value) for value in done.get(name)])


def _mean(values: Sequence[float]) -> float:
    """The mean of those values that are there."""
    there = [value for value in values if not math.isnan(value)]
    return sum(there) / len(there) if there else NAN
