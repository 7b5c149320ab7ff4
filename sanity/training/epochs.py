"""Divides the iterations of a training into epochs of its recipe's schedule; the network is tested after each."""

from dataclasses import dataclass

from sanity.recipes import Recipe


def steps_per_epoch(examples: int, recipe: Recipe) -> int:
    """Counts the iterations of an epoch over a training set of so many examples, less the hold-out."""
    count = examples - int(recipe.holdout * examples)
    return count // recipe.batch_size if recipe.drop_last else -(-count // recipe.batch_size)


@dataclass(frozen=True)
class Epochs:
    """Numbers the epochs of a training from 0; its first and last may be parts of an epoch of the schedule.

    start: iterations of the schedule before the training. length: iterations of the training. steps: iterations an
    epoch.
    """

    start: int
    length: int
    steps: int

    @property
    def count(self) -> int:
        """How many epochs the training has, parts included."""
        return -(-(self.start % self.steps + self.length) // self.steps) if self.length else 0

    def place(self, number: int) -> int:
        """Returns which epoch of the schedule epoch `number` is, or is a part of."""
        return self.start // self.steps + number

    def span(self, number: int) -> range:
        """Returns the steps that the training takes of a schedule's epoch: all, unless it starts or ends there."""
        before = self.place(number) * self.steps
        first = max(self.start - before, 0)
        return range(first, max(min(self.start + self.length - before, self.steps), first))

    def iteration(self, number: int, step: int) -> int:
        """Counts the iterations of the training before step `step` of its epoch `number`."""
        return min(max(self.place(number) * self.steps - self.start, 0), self.length) + step
