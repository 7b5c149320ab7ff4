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
from sanity.training.job import BestEpoch, TrainingSpec

log = logging.getLogger(__name__)
_BEST = "best/"  # before the names of its tensors in a checkpoint


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
    best: BestEpoch | None = None
    """The best epoch so far, if its weights are asked for."""
    best_of: dict[int, BestEpoch] = field(default_factory=dict)
    """The best epoch up to each of the moments that are passed."""
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
    facts += () if job.learns is None else (job.learns.rule.text(),)
    scores = {} if job.learns is None else {f"scores/{name}": tensor for name, tensor in job.learns.first.items()}
    return tensor_files.digest({**job.model.state_dict(), **mask, **scores}, *map(str, facts))


def find(job: TrainingSpec, epochs: Epochs, identity: str) -> Checkpoint:
    """Returns the checkpoint from which `job` goes on: the start where there is none that is whole and its own."""
    if job.directory is None or (saved := tensor_files.read(job.directory / "checkpoint.safetensors")) is None:
        return Checkpoint()
    tensors, facts = saved
    checkpoint = Checkpoint(facts["epoch"], facts["step"], facts["curve"], facts["wall_s"], resumed=True)
    if (best := facts.get("best")) is not None:
        weights = {name.removeprefix(_BEST): tensor for name, tensor in tensors.items() if name.startswith(_BEST)}
        checkpoint.best = BestEpoch(epoch=best[0], test_accuracy=best[1], weights=weights)
    checkpoint.tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_BEST)}
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
    if job.best_of and not _find_best(checkpoint, job, epochs.iteration(checkpoint.epoch, 0), identity):
        log.warning("%s lacks the weights of the best epoch: starting from the beginning", job.directory)
        return Checkpoint()
    return checkpoint


def _find_best(checkpoint: Checkpoint, job: TrainingSpec, tested: int, identity: str) -> bool:
    """Reads the best epochs of `job` into its checkpoint; returns whether all are there that it needs.

    tested: the iterations of the epochs that have ended; what comes after them is not tested yet.
    """
    assert job.directory is not None  # by the caller
    for iteration in (iteration for iteration in job.best_of if iteration <= tested):
        saved = tensor_files.read(job.directory / _best_file(iteration))
        if saved is None or saved[1]["identity"] != identity:
            return False
        checkpoint.best_of[iteration] = BestEpoch(saved[1]["epoch"], saved[1]["test_accuracy"], saved[0])
    if max(job.best_of) <= tested or not checkpoint.curve:
        return True
    best = max(checkpoint.curve, key=lambda row: row["test_accuracy"])  # a checkpoint may hold that of fewer epochs
    return checkpoint.best is not None and checkpoint.best.epoch == best["epoch"]


def save(directory: Path, identity: str, checkpoint: Checkpoint) -> None:
    """Writes `checkpoint`; its snapshots are written by `save_snapshot`."""
    facts = {name: getattr(checkpoint, name) for name in ("epoch", "step", "curve", "wall_s")}
    tensors, best = checkpoint.tensors, checkpoint.best
    if best is not None:  # in one file: a best epoch that is later than the rest would be another training's
        tensors = {**tensors, **{f"{_BEST}{name}": tensor for name, tensor in best.weights.items()}}
        facts["best"] = [best.epoch, best.test_accuracy]
    _keep(directory / "checkpoint.safetensors", tensors, {**facts, "identity": identity})


def save_snapshot(directory: Path, identity: str, iteration: int, weights: dict[str, Tensor]) -> None:
    """Writes the weights after `iteration` iterations."""
    _keep(directory / f"snapshot-{iteration}.safetensors", weights, {"identity": identity})


def save_best(directory: Path, identity: str, iteration: int, best: BestEpoch) -> None:
    """Writes the weights of the best epoch of the first `iteration` iterations."""
    facts = {"identity": identity, "epoch": best.epoch, "test_accuracy": best.test_accuracy}
    _keep(directory / _best_file(iteration), best.weights, facts)


def _best_file(iteration: int) -> str:
    return f"snapshot-best-{iteration}.safetensors"


def _keep(path: Path, content: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes the file; where it cannot, a line in the log says so, an older file stays, and training goes on."""
    try:
        tensor_files.write(path, content, facts)
    except CannotWrite as error:
        log.warning("a checkpoint was not written, training goes on without it: %s", error)
