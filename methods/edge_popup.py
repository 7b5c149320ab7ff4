"""Edge-popup trains a score for every weight, and never a weight: the mask alone must make the network accurate."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from methods.learnt_mask import LearntMask
from sanity.masks import Mask, RankedMask, Scores, Survivors, check_finite, patterns
from sanity.masks.layerwise import AllocationName
from sanity.masks.learning import MaskLearning
from sanity.masks.pruning import chosen_at_once


@dataclass(frozen=True, kw_only=True)
class EdgePopup(LearntMask):
    """A mask that is optimised: scores s learn by gradient descent which of the untrained weights to keep.

    Formula: the network computes with w * m, m = 1 for the highest |s| of a layer; dL/ds = dL/d(w m) * w * sign(s) for
    all weights, kept or not, as if m were |s| (straight through; Ramanujan et al. 2020, Algorithm 1 and their code's
    example on MNIST). L is the mean cross-entropy over the whole training set, of which the checks of the data change
    what the scores learn from. Weights and biases stay as the initialisation drew them.

    What the paper claims is the accuracy of the ticket *before* its training (`start_test_accuracy` of the record).
    There the mask is all that was learnt, so that a check that moves its positions must destroy it: a ticket that is
    known to depend on positions. Networks without batch norm show it; with it, the statistics of the initialisation
    are used, which say nothing. Weights are `init=kaiming_fan_in` or `init=signed_constant`.

    The paper's text ranks s, its code |s|, so that the gradient changes its sign with s (`rank`). Their code removes
    int((1 - k) n) of each layer; here `allocation=uniform` shares the exact total out.

    rank: by the `magnitude` of a score, or by its `value`.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ramanujan2020": {"epochs": 14, "batch_size": 64, "augment": False},
    }

    allocation: AllocationName = "uniform"
    rank: Literal["magnitude", "value"] = "magnitude"

    def learning(self, net: nn.Module, ratio: float) -> MaskLearning:
        return _BestOfEachStep(self, ratio)

    def first_score(self, weight: Tensor, generator: torch.Generator) -> Tensor:
        """Draws from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as torch draws the weights of a layer."""
        bound = 1 / sqrt(max(weight[0].numel(), 1))
        return (2 * torch.rand(weight.shape, generator=generator, dtype=torch.float64) - 1) * bound

    def chosen(self, scores: Scores, ratio: float) -> RankedMask:
        """Returns the mask that these scores make: in each layer, the highest of what `rank` says."""
        ranks = {name: score.abs() if self.rank == "magnitude" else score for name, score in scores.items()}
        keep = self._keep(Survivors(ranks), ratio, None)
        return chosen_at_once(ranks, ratio, self.rule(), patterns.get(self.pattern), keep)


@dataclass(frozen=True)
class _BestOfEachStep(MaskLearning):
    """Keeps the highest scores anew at every step."""

    method: EdgePopup
    ratio: float

    def factors(self, scores: Scores, alive: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return self.method.chosen(scores, self.ratio)

    def by_scores(self, gradients: Scores, weights: Scores, scores: Scores, alive: Mapping[str, Tensor]) -> None:
        for name, by_score in gradients.items():
            by_score.mul_(weights[name])
            if self.method.rank == "magnitude":
                by_score.mul_(scores[name].sign())

    def mask(self, scores: Scores, alive: RankedMask) -> Mask:
        check_finite(scores)
        return self.method.chosen(scores, self.ratio)

    def text(self) -> str:
        return f"{self.method} {self.ratio!r}"
