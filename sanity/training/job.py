"""A training as data: what it starts from, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sanity.recipes import Recipe


@dataclass(frozen=True)
class TrainingSpec:
    """One training: all that determines it, beside the data and the recipe."""

    model: nn.Module
    """Holds the weights and buffers to start from; left as it is."""
    mask: Mapping[str, Tensor] | None
    """Parameter name -> bool of the same shape, False stays at zero; None: dense."""
    seed: int
    """Of the data order and the augmentation."""
    start_epoch: int = 0
    """Checkpoint on the recipe's schedule (and in its order of the data) to start at."""
    epochs: int | None = None
    """How many epochs to train; None: to the recipe's end. Past it the schedule holds its last value."""
    directory: Path | None = None
    """Where the checkpoint lives; None: none is written."""
    snapshots: frozenset[int] = frozenset()
    """After how many epochs of this run the weights are kept (0: before the first)."""

    def length(self, recipe: Recipe) -> int:
        """How many epochs this job trains."""
        return max(recipe.epochs - self.start_epoch, 0) if self.epochs is None else self.epochs


@dataclass
class TrainingResult:
    """What came of a job."""

    curve: list[dict[str, Any]]
    """Per epoch: epoch, learning_rate (of its last step), train_ and test_loss, train_ and test_accuracy (percent)."""
    weights: dict[str, Tensor]
    """The final state dict, on the CPU."""
    snapshots: dict[int, dict[str, Tensor]]
    diverged_epoch: int | None
    """The epoch (counted from 1, as in the curve) in which the loss stopped being finite; the curve ends before it."""
    wall_s: float
    """Seconds; trainings side by side share theirs equally."""
    precision: str
    device: str
    resumed_from: int | None
    """How many epochs a checkpoint of an earlier process had finished; None: there was none."""
