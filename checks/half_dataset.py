"""Halves the data set: does the ticket depend on how much data the search had?"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from checks.base import Check
from sanity.data.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class HalfDataset(Check):
    """Keeps half of the training set while the ticket is searched.

    Su et al. 2020; their code takes the first batches of 64 in the file's order, up to number 390 (about 25,000 of
    CIFAR's images: the same 390 batches in the same order every epoch, here in a new one), Atanov et al. 2021 a random
    half, drawn once.

    which: a `random` half, or the `first` one in the order of the data set.
    """

    keeps: ClassVar[str] = "images with their labels"
    destroys: ClassVar[str] = "half of the examples"

    which: Literal["random", "first"] = "random"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        half = (len(dataset) + 1) // 2
        chosen = (
            torch.arange(half) if self.which == "first" else torch.randperm(len(dataset), generator=generator)[:half]
        )
        return dataset.subset(chosen.sort().values)
