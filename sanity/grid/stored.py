"""Reads what is in the store: masks, and the weights of trainings at their moments.

tickets/KEY/    ticket.json, mask.safetensors
trainings/KEY/  record.json, curve.csv, mask.safetensors, weights.safetensors: of a training that went to its end
                at_Nit.safetensors: its weights after N iterations, also where it went no further yet
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanity.errors import UserError
from sanity.masks import Mask
from sanity.store import records
from sanity.store.packed import PACKED
from sanity.store.records import rows

if TYPE_CHECKING:
    from sanity.grid.cells import CheckSpec
    from sanity.grid.experiment import Experiment, State


def moment_file(at: int) -> str:
    """The name of the file of the weights after so many iterations."""
    return f"at_{at}it.safetensors"


def training_folder(experiment: "Experiment", key: str) -> Path:
    """Where the files of a training are."""
    return experiment.store.folder("trainings", key)


def mask_folder(experiment: "Experiment", key: str) -> Path:
    """Where the files of a mask are."""
    return experiment.store.folder("tickets", key)


def search_record(experiment: "Experiment", key: str) -> Mapping[str, Any] | None:
    """What is known of a search that has ended: its `seconds`, the counts of its `layers`; None where it has not."""
    if not _exists(experiment, "tickets", key):
        return None
    record = experiment.store.read(mask_folder(experiment, key) / "ticket.json")
    if record is None or "seconds" not in record or "layers" not in record:
        return None
    return record if experiment.store.is_whole(mask_folder(experiment, key) / "mask.safetensors") else None


def mask(experiment: "Experiment", key: str) -> Mask:
    """The mask, its layers in the network's order. Raises `UserError` where it is not there or damaged."""
    path = mask_folder(experiment, key) / "mask.safetensors"
    layers, record = experiment.store.load(path), search_record(experiment, key)
    if layers is None or record is None:
        path.unlink(missing_ok=True)  # else the next run would take it for whole
        raise UserError(f"{path}: damaged; start again to have it found anew")
    return {name: layers[name] for name in record["layers"]}


def training_record(experiment: "Experiment", key: str, digest: str, seed: int) -> Mapping[str, Any] | None:
    """The record of a training that has ended, if only to diverge, with all that belongs to it; None otherwise.

    digest, seed: of the ticket that it must be of.
    """
    if not _exists(experiment, "trainings", key):
        return None
    record = experiment.store.record(key, {"ticket": digest, "seed": seed})
    if record is None:
        return None
    paths = [training_folder(experiment, key) / f"{name}.safetensors" for name in ("mask", "weights")]
    return record if all(map(experiment.store.is_whole, paths)) else None


def has_weights(experiment: "Experiment", key: str, at: int | None, data: "CheckSpec", seed: int) -> bool:
    """Whether the weights at a moment of a dense training are there, or never will be since it diverged before.

    at: in iterations of the training; None: its end. data, seed: what the training sees.
    """
    if not _exists(experiment, "trainings", key):
        return False
    if at is not None and experiment.store.is_whole(_moment(experiment, key, at)):
        return True
    record = training_record(experiment, key, experiment.dense_digest(seed), seed)
    if record is None or at is None:
        return record is not None
    return record["status"] == "diverged" and at > (record["diverged_epoch"] - 1) * experiment.steps(data, seed)


def weights(experiment: "Experiment", key: str, at: int | None) -> "State":
    """The weights at a moment of a training. Raises `UserError` where it diverged before, or they are damaged."""
    path = training_folder(experiment, key) / "weights.safetensors" if at is None else _moment(experiment, key, at)
    record = experiment.store.record(key) or {}
    if record.get("status") == "diverged" and (at is None or not path.exists()):
        raise UserError(f"the training that it starts from diverged in epoch {record['diverged_epoch']}")
    state = experiment.store.load(path)
    if state is None:
        path.unlink(missing_ok=True)  # else the next run would take the training for done
        raise UserError(f"{path}: damaged; start again to have it trained anew")
    return state


def row(experiment: "Experiment", key: str) -> Mapping[str, Any] | None:
    """The record of a cell joined with that of its training; None where there is none."""
    joined = rows(experiment.store.root, [key])
    return joined[0] if joined else None


def has_ended(experiment: "Experiment", key: str) -> bool:
    """Whether there is the record of a cell, packed or not, whose training ended, if only to diverge."""
    is_there = _exists(experiment, "cells", f"{key}.json") or _exists(experiment, PACKED)
    record = row(experiment, key) if is_there else None
    return record is not None and records.has_ended(record)


def _exists(experiment: "Experiment", *names: str) -> bool:
    """Whether there may be something to read; much quicker than to try, which counts where a plan has 100,000 cells."""
    return os.path.lexists("/".join((experiment.root, *names)))


def _moment(experiment: "Experiment", key: str, at: int) -> Path:
    return training_folder(experiment, key) / moment_file(at)
