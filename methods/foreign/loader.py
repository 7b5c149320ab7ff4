"""Makes the loader that somebody's function is given."""

from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from methods.base import Batches

Loader = DataLoader[tuple[Tensor, Tensor]]


@runtime_checkable
class Loadable(Protocol):
    """Batches of a whole training set, which make a loader of their own."""

    def loader(self) -> Loader:
        """Returns a loader that draws the same order and crops as every loader of these batches."""


class _Listed(TensorDataset):
    """The examples of plain batches; `targets` has their classes, as torch's own data sets do."""

    @property
    def targets(self) -> Tensor:
        return self.tensors[1]


def loader_of(batches: Batches) -> Loader:
    """Returns a loader over copies of `batches`; its passes over a plain list do not differ."""
    if isinstance(batches, Loadable):
        return batches.loader()
    examples, targets = (torch.cat(parts).clone() for parts in zip(*batches, strict=True))
    return cast(Loader, DataLoader(_Listed(examples, targets), batch_size=len(batches[0][0])))
