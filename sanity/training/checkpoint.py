"""Checkpoints: how far a training has come, on disk and read back."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sanity.recipes import Recipe, describe
from sanity.store import tensor_files
from sanity.store.files import CannotWrite
from sanity.training.job import TrainingSpec

log = logging.getLogger(__name__)


@dataclass
class Checkpoint:
    """How far a job has come: all of a run's state that is not a tensor, and its tensors as a checkpoint holds them."""

    epoch: int = 0
    step: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    wall_s: float = 0.0
    tensors: dict[str, Tensor] = field(default_factory=dict)
    snapshots: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    resumed: bool = False


def identity(job: TrainingSpec, recipe: Recipe, *circumstances: object) -> str:
    """A hash of all that determines the training's steps: a checkpoint with another one is not continued."""
    mask = {f"mask/{name}": tensor for name, tensor in (job.mask or {}).items()}
    what = (describe(recipe), str(job.seed), str(job.start_epoch), *map(str, circumstances))
    return tensor_files.digest({**job.model.state_dict(), **mask}, *what)


def find(job: TrainingSpec, identity: str) -> Checkpoint:
    """Where to go on with `job`: at its checkpoint, or at the start where there is none that is whole and its own."""
    if job.directory is None or (found := tensor_files.read(job.directory / "checkpoint.safetensors")) is None:
        return Checkpoint()
    tensors, facts = found
    if facts["identity"] != identity:
        log.warning("%s holds the checkpoint of another training: starting from the beginning", job.directory)
        return Checkpoint()
    position = Checkpoint(facts["epoch"], facts["step"], facts["curve"], facts["wall_s"], tensors, resumed=True)
    for epoch in (epoch for epoch in job.snapshots if epoch <= position.epoch):
        snapshot = tensor_files.read(job.directory / f"snapshot-{epoch}.safetensors")
        if snapshot is None or snapshot[1]["identity"] != identity:
            log.warning("%s lacks the weights after epoch %d: starting from the beginning", job.directory, epoch)
            return Checkpoint()
        position.snapshots[epoch] = snapshot[0]
    return position


def save(directory: Path, identity: str, position: Checkpoint) -> None:
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
