"""Validates the splits that a data set's class has read, before anything is scored or trained on them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sanity.data.examples import Examples
from sanity.data.source import Source, Split
from sanity.errors import UserError


def validated(name: str, source: Source, read: Any) -> tuple[Split, Split, int]:
    """Returns training split, test split and number of classes that `source` read, targets as int64.

    Raises `UserError` naming the data set, the split, its content and the requirement: uint8 examples (N, C, H, W), a
    target from 0 to classes - 1 for each, at least one example, both splits of one shape, constants for every channel.
    """
    owner = f"dataset {name}"
    try:
        train, test, classes = read
        splits = [Split(*train), Split(*test)]
    except (TypeError, ValueError):
        raise UserError(f"{owner}: read() gives {type(read).__name__}, not (Split, Split, number of classes)") from None
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 2:
        raise UserError(f"{owner}: read() says classes={classes!r}; a whole number of at least 2 is wanted")
    train, test = (_split(f"{owner}: the {kind}", split, classes) for kind, split in zip(_KINDS, splits, strict=True))
    if train.examples.shape[1:] != test.examples.shape[1:]:
        sizes = " and ".join("x".join(map(str, split.examples.shape[1:])) for split in (train, test))
        raise UserError(f"{owner}: training and test examples differ in shape ({sizes})")
    _check_constants(owner, source, train.examples.shape[1])
    return train, test, classes


_KINDS = ("training", "test")


def _split(owner: str, split: Split, classes: int) -> Split:
    examples, targets = (torch.from_numpy(part) if isinstance(part, np.ndarray) else part for part in split)
    in_memory = isinstance(examples, Tensor) and examples.dtype == torch.uint8 and examples.dim() == 4
    if not in_memory and not isinstance(examples, Examples):
        raise UserError(f"{owner} examples are {_kind(examples)}; uint8 (N, C, H, W), values 0 to 255, is wanted")
    if not isinstance(targets, Tensor) or targets.dim() != 1 or _is_fractional(targets):
        raise UserError(f"{owner} targets are {_kind(targets)}; whole numbers (N,), int64, are wanted")
    if len(examples) != len(targets):
        raise UserError(f"{owner} split has {len(examples)} examples and {len(targets)} targets")
    if 0 in examples.shape:
        raise UserError(f"{owner} split is empty: its examples are {_kind(examples)}")
    targets = targets.to(torch.int64)
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        raise UserError(f"{owner} targets run from {low} to {high}; 0 to {classes - 1} are wanted (classes={classes})")
    return Split(examples, targets)


def _is_fractional(targets: Tensor) -> bool:
    return targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool


def _kind(value: Any) -> str:
    if isinstance(value, Examples) and not isinstance(value, Tensor):
        return f"uint8 {tuple(value.shape)}"
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return f"of type {type(value).__name__}"


def _check_constants(owner: str, source: Source, channels: int) -> None:
    """Raises `UserError` if the class's `mean` and `std` do not fit the examples."""
    mean, std = source.mean, source.std
    if mean is None and std is None:
        return
    if mean is None or std is None:
        raise UserError(f"{owner}: the class has only one of mean and std; both or neither is wanted")
    if len(mean) != channels or len(std) != channels:
        raise UserError(f"{owner}: mean={mean} and std={std} need a number for each of the {channels} channels")
    if not all(value > 0 for value in std):
        raise UserError(f"{owner}: std={std} must be above 0 in every channel")
