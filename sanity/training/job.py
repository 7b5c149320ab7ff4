"""Specifies one training (weights, mask, part of the schedule) and holds what it results in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sanity.masks.learning import MaskLearning
from sanity.masks.updates import MaskUpdates
from sanity.recipes import Recipe
from sanity.training.epochs import Epochs

FIELDS = ("epoch", "learning_rate", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
"""The columns of a training curve, in the order of the file `curve.csv`."""
HELD_OUT = ("holdout_loss", "holdout_accuracy")
"""Two more where the recipe holds training examples out; empty in an epoch whose loss on them is not finite."""


@dataclass(frozen=True)
class LearntScores:
    """Describes scores that are trained in place of weights, by the names of these, and what they make of the mask."""

    rule: MaskLearning
    first: Mapping[str, Tensor]
    """Before the first step."""


@dataclass(frozen=True)
class TrainingSpec:
    """Describes one training: all that determines it besides the data and the recipe.

    Moments and lengths are iterations (optimizer steps), so that a training may start and end within an epoch.
    """

    model: nn.Module
    """Holds the weights and buffers to start from; it is not changed."""
    mask: Mapping[str, Tensor] | None
    """Parameter name -> bool of the same shape, False stays at zero; None: dense."""
    seed: int
    """Of the data order and the augmentation."""
    start: int = 0
    """How many iterations of the recipe's schedule lie before this training: it continues the order of the data from
    there. Within an epoch, dropout draws other noise than a training that came past it, up to that epoch's end."""
    length: int | None = None
    """How many iterations to train; None: to the schedule's end. Past it the learning rate holds its last value."""
    directory: Path | None = None
    """Where the checkpoint is written; None: no checkpoint."""
    snapshots: frozenset[int] = frozenset()
    """After how many iterations of this training its weights are kept (0: before the first)."""
    best_of: frozenset[int] = frozenset()
    """Ends of epochs, in iterations of this training: the weights of the best epoch up to each are kept."""
    frozen: bool = False
    """Whether pruned weights stay at the values that they have in `model` instead of zero."""
    updates: MaskUpdates | None = None
    """How `mask` changes while training; None: it stays."""
    learning_rate: float | None = None
    """The constant learning rate; None: the schedule's."""
    learns: LearntScores | None = None
    """The scores that are trained while all parameters of `model` stay; None: the parameters are trained."""

    def epochs(self, recipe: Recipe, steps: int) -> Epochs:
        """Divides the training into epochs, where one of `recipe` has so many steps."""
        length = max(recipe.epochs * steps - self.start, 0) if self.length is None else self.length
        return Epochs(self.start, length, steps)


@dataclass(frozen=True)
class BestEpoch:
    """Holds the weights, on the CPU, after the epoch of the highest test accuracy (percent), the first of equals."""

    epoch: int
    test_accuracy: float
    weights: dict[str, Tensor]


@dataclass
class TrainingResult:
    """Holds what a training resulted in."""

    curve: list[dict[str, Any]]
    """A row (see `FIELDS` and `HELD_OUT`) an epoch: learning_rate is that of its last step, accuracies are in percent.
    `epoch` counts the rows from 1; where the training starts or ends within an epoch, its first or last row covers that
    part of it."""
    weights: dict[str, Tensor]
    """The final state dict, on the CPU."""
    snapshots: dict[int, dict[str, Tensor]]
    """State dicts on the CPU, by the iteration after which they were kept."""
    diverged_epoch: int | None
    """The epoch (counted from 1, as in the curve) in which the loss stopped being finite; the curve ends before it."""
    wall_s: float
    """Seconds; trainings side by side share theirs equally."""
    precision: str
    device: str
    resumed_from: int | None
    """How many epochs a checkpoint of an earlier process had finished; None: there was none."""
    stacked: int = 1
    """How many trainings were in one stack at its end, on whose number the rounding depends; 1: it was alone."""
    mask: dict[str, Tensor] | None = None
    """The final mask, boolean, on the CPU, of a training that changes or learns it; None: it stayed."""
    best: dict[int, BestEpoch] = field(default_factory=dict)
    """The best epoch up to each of the moments that were asked for, in iterations."""
    mask_updates: int | None = None
    """How often the mask was updated; None for a training that leaves it."""


def curve_table(curve: list[dict[str, Any]]) -> str:
    """Formats the curve as CSV: a line of names, then a line an epoch, whatever the order of a row's keys."""
    names = [*FIELDS, *(HELD_OUT if any(HELD_OUT[0] in row for row in curve) else ())]
    lines = [names, *([row.get(name, "") for name in names] for row in curve)] if curve else []
    return "".join(",".join(map(str, line)) + "\n" for line in lines)
