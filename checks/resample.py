"""Draws other examples for scoring: how much of a mask is the luck of the draw?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from checks.base import Check, Prediction, ignores
from sanity.data.dataset import Dataset

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class Resample(Check):
    """Shuffles the data set that the search sees, so that it draws other examples to score, in the same way.

    Null hypothesis: the ticket does not depend on which examples are drawn. True by construction for accuracy over many
    seeds; what counts is the *overlap*: two masks of one method that differ by the draw alone share so much, and a
    check of the data that leaves as much has changed the mask no more than luck does. A check that keeps the draw, as a
    low `label_noise.p` does, can leave more. A method that starts from dense training trains in another order. No paper
    of its own; a check of the data without it has no noise floor.
    """

    keeps: ClassVar[str] = "all examples with their labels, and how examples are drawn from them"
    destroys: ClassVar[str] = "which examples are drawn"

    def predicts(self, method: "Method") -> Prediction:
        return "identical" if ignores(method, "data") else "null"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        return dataset.subset(torch.randperm(len(dataset), generator=generator))
