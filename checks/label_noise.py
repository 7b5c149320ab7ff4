"""Redraws a share of the labels: how much of the relation of image and label does the search need?"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from checks.base import Check
from sanity.data.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class LabelNoise(Check):
    """Redraws a share of the labels uniformly over the classes while the ticket is searched.

    Null hypothesis: accuracy does not change with the share of random labels.

    Zhang et al. 2017; of lottery tickets Paul et al. 2022. Exactly round(p * n) of n examples, drawn at random, get a
    random label, which by chance is the right one for 1 in `classes` of them. Of one seed, a larger share redraws what
    a smaller one redraws, with the same labels. p=1 draws as `random_labels` does.

    p: the share.
    """

    keeps: ClassVar[str] = "the images, and the labels of a share 1 - p of them"
    destroys: ClassVar[str] = "the relation of image and label, for a share p of the images"
    dose: ClassVar[str] = "p"

    p: Annotated[float, Field(gt=0, le=1)] = 0.5

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        count = len(dataset)
        redrawn = torch.randint(dataset.classes, (count,), generator=generator)
        chosen = torch.randperm(count, generator=generator)[: round(self.p * count)]
        labels = dataset.targets.clone()
        labels[chosen.to(labels.device)] = redrawn[chosen].to(labels)
        return replace(dataset, targets=labels)
