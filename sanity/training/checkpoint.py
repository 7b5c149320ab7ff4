"""Writes checkpoints of a training to disk and finds the one to go on from."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from sanity.data.dataset import Dataset
from sanity.errors import CannotWrite
from sanity.recipes import Recipe, describe
from sanity.store import tensor_files
from sanity.training.epochs import Epochs
from sanity.training.job import TrainingSpec

log = logging.getLogger(__name__)


@dataclass
class Checkpoint:
    """Holds how far a training has come: its state, and the tensors of its network and optimizer."""

    epoch: int = 0
    """How many of its epochs are trained, tested and on the curve."""
    step: int = 0
    """How many steps of the epoch after those are taken."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    wall_s: float = 0.0
    tensors: dict[str, Tensor] = field(default_factory=dict)
    snapshots: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    resumed: bool = False


def identity(job: TrainingSpec, epochs: Epochs, data: Dataset, recipe: Recipe, *circumstances: object) -> str:
    """Hashes all that determines the steps of `job`: a checkpoint with another hash is not continued.

    An end between epochs is not in it, so that a checkpoint can be continued for longer. An end within an epoch is: the
    row of that part of an epoch has no place in a longer training's curve. So is any end where the mask changes, since
    the rule counts from there.
    """
    if job.directory is None:
        return ""
    end = epochs.start + epochs.length
    mask = {f"mask/{name}": tensor for name, tensor in (job.mask or {}).items()}
    facts = (describe(recipe), data.digest, job.seed, job.start, end if end % epochs.steps else None, *circumstances)
    facts += ("frozen",) if job.frozen else ()
    facts += () if job.learning_rate is None else ("at", job.learning_rate)
    facts += () if job.updates is None else (job.updates.text(), epochs.length)
    return tensor_files.digest({**job.model.state_dict(), **mask}, *map(str, facts))


def find(job: TrainingSpec, epochs: Epochs, identity: str) -> Checkpoint:
    """Returns the checkpoint from which `job` goes on: the start where there is none that is whole and its own."""
    if job.directory is None or (saved := tensor_files.read(job.directory / "checkpoint.safetensors")) is None:
        return Checkpoint()
    tensors, facts = saved
    checkpoint = Checkpoint(facts["epoch"], facts["step"], facts["curve"], facts["wall_s"], tensors, resumed=True)
    reached = epochs.iteration(checkpoint.epoch, checkpoint.step)
    if facts["identity"] != identity or reached > epochs.length:
        log.warning("%s holds the checkpoint of another training: starting from the beginning", job.directory)
        return Checkpoint()
    for iteration in (iteration for iteration in job.snapshots if iteration <= reached):
        snapshot = tensor_files.read(job.directory / f"snapshot-{iteration}.safetensors")
        if snapshot is None or snapshot[1]["identity"] != identity:
            log.warning("%s lacks the weights of iteration %d: starting from the beginning", job.directory, iteration)
            return Checkpoint()
        checkpoint.snapshots[iteration] = snapshot[0]
    return checkpoint


def save(directory: Path, identity: str, checkpoint: Checkpoint) -> None:
    """Writes `checkpoint`; its snapshots are written by `save_snapshot`."""
    facts = {name: getattr(checkpoint, name) for name in ("epoch", "step", "curve", "wall_s")}
    _keep(directory / "checkpoint.safetensors", checkpoint.tensors, {**facts, "identity": identity})


def save_snapshot(directory: Path, identity: str, iteration: int, weights: dict[str, Tensor]) -> None:
    """Writes the weights after `iteration` iterations."""
    _keep(directory / f"snapshot-{iteration}.safetensors", weights, {"identity": identity})


def _keep(path: Path, content: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes the file; where it cannot, a line in the log says so, an older file stays, and training goes on."""
    try:
        tensor_files.write(path, content, facts)
    except CannotWrite as error:
        log.warning("a checkpoint was not written, training goes on without it: %s", error)
