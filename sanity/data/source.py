"""Defines the base class of data sets: a frozen dataclass of options that reads two splits from a folder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from sanity.data.examples import Examples
from sanity.errors import UserError

Limit = Annotated[int, Field(ge=1)] | None


class Split(NamedTuple):
    """Holds examples (N, C, H, W) uint8, in memory or read on demand, and their classes (N,) int64."""

    examples: Tensor | Examples
    targets: Tensor


class Known(NamedTuple):
    """Holds what is known of a published data set without its files: counts, (C, H, W) of an image, classes."""

    train: int
    test: int
    shape: tuple[int, int, int]
    classes: int


class MissingDataError(UserError):
    """The files of a published data set are not where they were looked for, and may not be fetched."""


@dataclass(frozen=True)
class Source(ABC):
    """Base class of data sets. The help shows the first line of a subclass's docstring.

    `mean` and `std` are the published normalisation constants (of values / 255, per channel); None has them computed
    from the training examples in use. `known` lets a plan count without the files.

    limit: keep that many training examples, the first of every class, as balanced as the classes allow.
    test_limit: the same of the test examples.
    """

    limit: Limit = None
    test_limit: Limit = None
    mean: ClassVar[tuple[float, ...] | None] = None
    std: ClassVar[tuple[float, ...] | None] = None
    known: ClassVar[Known | None] = None

    @abstractmethod
    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        """Returns training split, test split, number of classes. `sanity.data.dataset.load` applies the limits."""

    def files(self, data_dir: Path) -> Sequence[Path] | None:
        """Returns the files on which `read` depends, whether they exist or not; None where they are not known, or too
        many to look at each of them at every start."""
        return None


def occurrences(targets: Tensor) -> Tensor:
    """Counts for every example the earlier examples of its class: (N,) int64."""
    order = targets.argsort(stable=True)
    by_class = targets[order]
    rank = torch.empty_like(targets)
    rank[order] = torch.arange(len(targets), device=targets.device) - torch.searchsorted(by_class, by_class)
    return rank


def first_of_each(targets: Tensor, limit: int | None) -> Tensor | slice:
    """Returns the index of the first `limit` examples, taken one per class in turn, in their original order."""
    if limit is None or limit >= len(targets):
        return slice(None)
    return occurrences(targets).argsort(stable=True)[:limit].sort().values
