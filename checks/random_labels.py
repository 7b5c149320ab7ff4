"""Redraws the labels: does the ticket depend on which class an image belongs to?"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from checks.base import Check
from sanity.data.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class RandomLabels(Check):
    """Redraws every label uniformly over the classes while the ticket is searched.

    Su et al. 2020 (after Zhang et al. 2017). By chance 1 in `classes` labels stays right. Their code draws
    one set of labels for all runs; here every seed has its own.
    """

    keeps: ClassVar[str] = "the images, and uniform class proportions"
    destroys: ClassVar[str] = "the relation of image and label"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        labels = torch.randint(dataset.classes, (len(dataset),), generator=generator)
        return replace(dataset, targets=labels.to(dataset.targets))
