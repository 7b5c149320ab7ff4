"""Takes the steps of a trainer: a protocol, and the way that launches every kernel from the host."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from sanity.training.optimizer import set_learning_rate
from sanity.training.setting import Setting
from sanity.training.stacked_model import StackedModel


class Stepping(Protocol):
    """What a step needs of a trainer."""

    setting: Setting
    stacked_model: StackedModel

    def step(self, columns: slice | Tensor) -> None:
        """Takes one optimizer step on the batch in the `columns` of the epoch's order."""


class Step(Protocol):
    """Takes the steps of a trainer, by its method `step`."""

    def begin_epoch(self, rates: Sequence[float], first: int) -> None:
        """Begins an epoch with these learning rates, a step each, or continues it at its step `first`."""

    def take(self, step: int) -> None:
        """Takes the epoch's step of that number; does not wait for the device."""


class LaunchedStep:
    """Takes a trainer's steps by launching each of their kernels from the host."""

    trainer: Stepping

    def __init__(self, trainer: Stepping) -> None:
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
