"""Takes the steps of a trainer: a protocol, and the way that launches every kernel from the host."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sanity.training.optimizer import set_learning_rate

if TYPE_CHECKING:
    from sanity.training.trainer import Trainer


class Step(Protocol):
    """Takes the steps of a trainer, by its method `step`."""

    def begin_epoch(self, rates: Sequence[float], first: int) -> None:
        """Begins an epoch with these learning rates, a step each, or continues it at its step `first`."""

    def take(self, step: int) -> None:
        """Takes the epoch's step of that number; does not wait for the device."""


class LaunchedStep:
    """Takes a trainer's steps by launching each of their kernels from the host."""

    def __init__(self, trainer: "Trainer") -> None:
        self.trainer = trainer
        self.rates: Sequence[float] = []

    def begin_epoch(self, rates: Sequence[float], first: int) -> None:
        """Takes over the learning rates, one a step of the epoch."""
        self.rates = rates

    def take(self, step: int) -> None:
        """Takes the step of that number on its batch of the epoch's order; the last may have fewer examples."""
        size = self.trainer.setting.recipe.batch_size
        set_learning_rate(self.trainer.stacked_model.optimizer, self.rates[step])
        self.trainer.step(slice(step * size, (step + 1) * size))
