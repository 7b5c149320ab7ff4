"""Reads masks, weights and records of trainings from the store.

tickets/KEY/    ticket.json, mask.safetensors
                attempt-RATIO.safetensors: of a search that learns masks of several ratios and has not ended
trainings/KEY/  record.json, curve.csv, mask.safetensors, weights.safetensors: of a training that has ended
                at_Nit.safetensors: its weights after N iterations, also of a training that has not ended
                best.safetensors, best_of_Nit.safetensors: its weights after the epoch of the best test accuracy
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sanity.config.moment import BEST
from sanity.errors import UserError
from sanity.grid.cells import NO_CHECK, CheckSpec
from sanity.grid.experiment import Experiment, State
from sanity.grid.moments import At, known_after
from sanity.masks import Mask
from sanity.store import records
from sanity.store.packed import PACKED
from sanity.store.records import rows

_FOLDERS = ("", "cells", "tickets", "trainings")
ATTEMPT = "attempt-"
"""Begins the name of a mask that a search which has not ended tried at another ratio."""


def moment_file(at: int | str) -> str:
    """Returns the name of the file with the weights at a moment that is not the end."""
    return f"{at}.safetensors" if isinstance(at, str) else f"at_{at}it.safetensors"


def moments_among(names: Iterable[str]) -> list[str]:
    """Returns those of the names of files that are weights at moments of a training."""
    starts = (moment_file(0).partition("0")[0], BEST)
    return [name for name in names if name.startswith(starts)]


def training_folder(experiment: Experiment, key: str) -> Path:
    """Returns the folder of a training."""
    return experiment.store.folder("trainings", key)


def mask_folder(experiment: Experiment, key: str) -> Path:
    """Returns the folder of a mask."""
    return experiment.store.folder("tickets", key)


def unfinished(folder: Path) -> list[Path]:
    """Returns the files of a result that only its continuation needs: checkpoints, and masks of attempts."""
    return [*folder.glob("checkpoint*"), *folder.glob(f"{ATTEMPT}*")]


def search_record(experiment: Experiment, key: str) -> Mapping[str, Any] | None:
    """Returns the record of an ended search (`seconds`, counts of `layers`); None if it has not ended."""
    if not _exists(experiment, "tickets", key):
        return None
    record = experiment.store.read(mask_folder(experiment, key) / "ticket.json")
    if record is None or "seconds" not in record or "layers" not in record:
        return None
    return record if experiment.store.is_whole(mask_folder(experiment, key) / "mask.safetensors") else None


def drawn_at(experiment: Experiment, key: str) -> int | None:
    """Returns the moment of dense training at which an early-bird mask was drawn, in iterations; None: its end."""
    record = search_record(experiment, key)
    if record is None:
        raise UserError(f"the search {key} has not ended, so that its moment is not known")
    moment: int | None = record["early_bird"]["iteration"]
    return moment


def mask(experiment: Experiment, key: str) -> Mask:
    """Reads a mask, layers in the network's order. Raises `UserError` if it is missing or damaged."""
    path = mask_folder(experiment, key) / "mask.safetensors"
    layers, record = experiment.store.load(path), search_record(experiment, key)
    if layers is None or record is None:
        path.unlink(missing_ok=True)  # its length looks complete; without the file the next run searches again
        raise UserError(f"{path}: damaged; start again to have it found anew")
    return {name: layers[name] for name in record["layers"]}


def training_record(experiment: Experiment, key: str, digest: str, seed: int) -> Mapping[str, Any] | None:
    """Returns the record of a training that has ended or diverged and whose files are complete; else None.

    digest, seed: those of the ticket that must have been trained.
    """
    if not _exists(experiment, "trainings", key):
        return None
    record = experiment.store.record(key, {"ticket": digest, "seed": seed})
    if record is None:
        return None
    paths = [training_folder(experiment, key) / f"{name}.safetensors" for name in ("mask", "weights")]
    return record if all(map(experiment.store.is_whole, paths)) else None


def has_weights(
    experiment: Experiment, key: str, at: At, data: CheckSpec, seed: int, drawn_by: CheckSpec = NO_CHECK
) -> bool:
    """Whether the weights at a moment of a dense training are stored, or the training diverged before that moment.

    at: see `sanity.grid.moments.At`. data, seed: the checks on its data, and its seed. drawn_by: the checks that draw
    its initialisation.
    """
    if not _exists(experiment, "trainings", key):
        return False
    if at is not None and has_file(experiment, key, at):
        return True
    record = training_record(experiment, key, experiment.dense_digest(seed, drawn_by), seed)
    if record is None or at is None:
        return record is not None
    if record["status"] != "diverged":
        return False
    end = known_after(at)
    return end is None or end > (record["diverged_epoch"] - 1) * experiment.steps(data, seed)


def has_file(experiment: Experiment, key: str, at: int | str) -> bool:
    """Whether the file of a training's weights at a moment that is not its end is there and has its full length."""
    return experiment.store.is_whole(_moment(experiment, key, at))


def best_epoch(experiment: Experiment, key: str, at: str) -> int | None:
    """Returns the number of the epoch, from 1, whose weights are stored as a training's best; None if they are not."""
    facts = experiment.store.facts(_moment(experiment, key, at))
    epoch = (facts or {}).get("epoch")
    return epoch if isinstance(epoch, int) else None


def weights(experiment: Experiment, key: str, at: At) -> State:
    """Reads the weights at a moment of a training. Raises `UserError` if it diverged before or the file is damaged."""
    path = training_folder(experiment, key) / "weights.safetensors" if at is None else _moment(experiment, key, at)
    record = experiment.store.record(key) or {}
    if record.get("status") == "diverged" and (at is None or not path.exists()):
        raise UserError(f"the training that it starts from diverged in epoch {record['diverged_epoch']}")
    state = experiment.store.load(path)
    if state is None:
        path.unlink(missing_ok=True)  # its length looks complete; without the file the next run trains again
        raise UserError(f"{path}: damaged; start again to have it trained anew")
    return state


def row(experiment: Experiment, key: str) -> Mapping[str, Any] | None:
    """Returns the record of a cell joined with that of its training; None if there is none."""
    joined = rows(experiment.store.root, [key])
    return joined[0] if joined else None


def has_ended(experiment: Experiment, key: str) -> bool:
    """Whether the store, packed records included, has the cell's record, and its training ended or diverged."""
    is_there = _exists(experiment, "cells", f"{key}.json") or _exists(experiment, "", PACKED)
    record = row(experiment, key) if is_there else None
    if record is None or not records.has_ended(record):
        return False
    return experiment.config.outcome != "barrier" or "barrier_orders_test" in record


@contextmanager
def listed(experiment: Experiment) -> Iterator[None]:
    """Context manager; what exists is looked up in one listing of each folder, made at the start, for a plan of many
    cells. What is written meanwhile is not seen."""
    for folder in _FOLDERS:
        path = Path(experiment.root, folder)
        experiment.listings[folder] = frozenset(os.listdir(path) if path.is_dir() else ())
    try:
        yield
    finally:
        experiment.listings.clear()


def _exists(experiment: Experiment, folder: str, name: str) -> bool:
    """Whether the store has this file. Faster than trying to read it."""
    listing = experiment.listings.get(folder)
    return name in listing if listing is not None else os.path.lexists(f"{experiment.root}/{folder}/{name}")


def _moment(experiment: Experiment, key: str, at: int | str) -> Path:
    return training_folder(experiment, key) / moment_file(at)
