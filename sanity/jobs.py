"""What a training is given and what it gives back, and where a half-finished one is found again."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sanity.recipes import Recipe, describe
from sanity.store import tensor_files
from sanity.store.files import CannotWrite

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One training: all that determines it, beside the data and the recipe."""

    model: nn.Module
    """Holds the weights and buffers to start from; left as it is."""
    mask: Mapping[str, Tensor] | None
    """Parameter name -> bool of the same shape, False stays at zero; None: dense."""
    seed: int
    """Of the data order and the augmentation."""
    start_epoch: int = 0
    """Position on the recipe's schedule (and in its order of the data) to start at."""
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
class Trained:
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


@dataclass
class Position:
    """How far a job has come: all of a run's state that is not a tensor, and its tensors as a checkpoint holds them."""

    epoch: int = 0
    step: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    wall_s: float = 0.0
    tensors: dict[str, Tensor] = field(default_factory=dict)
    snapshots: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    resumed: bool = False


def identity(job: Job, recipe: Recipe, *circumstances: object) -> str:
    """A hash of all that determines the training's steps: a checkpoint with another one is not continued."""
    mask = {f"mask/{name}": tensor for name, tensor in (job.mask or {}).items()}
    what = (describe(recipe), str(job.seed), str(job.start_epoch), *map(str, circumstances))
    return tensor_files.digest({**job.model.state_dict(), **mask}, *what)


def find(job: Job, identity: str) -> Position:
    """Where to go on with `job`: at its checkpoint, or at the start where there is none that is whole and its own."""
    if job.directory is None or (found := tensor_files.read(job.directory / "checkpoint.safetensors")) is None:
        return Position()
    tensors, facts = found
    if facts["identity"] != identity:
        log.warning("%s holds the checkpoint of another training: starting from the beginning", job.directory)
        return Position()
    position = Position(facts["epoch"], facts["step"], facts["curve"], facts["wall_s"], tensors, resumed=True)
    for epoch in (epoch for epoch in job.snapshots if epoch <= position.epoch):
        snapshot = tensor_files.read(job.directory / f"snapshot-{epoch}.safetensors")
        if snapshot is None or snapshot[1]["identity"] != identity:
            log.warning("%s lacks the weights after epoch %d: starting from the beginning", job.directory, epoch)
            return Position()
        position.snapshots[epoch] = snapshot[0]
    return position


def save(directory: Path, identity: str, position: Position) -> None:
    """Writes the checkpoint of a job at `position`; its snapshots are written by `save_snapshot`."""
    facts = {name: getattr(position, name) for name in ("epoch", "step", "curve", "wall_s")}
    _keep(directory / "checkpoint.safetensors", position.tensors, {**facts, "identity": identity})


def save_snapshot(directory: Path, identity: str, epoch: int, weights: dict[str, Tensor]) -> None:
    """Writes the weights after `epoch` epochs."""
    _keep(directory / f"snapshot-{epoch}.safetensors", weights, {"identity": identity})


def _keep(path: Path, content: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Where it cannot be written there is a line in the log: what was there stays, and training goes on."""
    try:
        tensor_files.write(path, content, facts)
    except CannotWrite as error:
        log.warning("a checkpoint was not written, training goes on without it: %s", error)


def on_cpu(tensor: Tensor) -> Tensor:
    """A copy of its own on the CPU, densely packed whatever the memory format on the device."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
