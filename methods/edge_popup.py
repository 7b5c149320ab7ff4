"""Edge-popup trains a score for every weight, and never a weight: the mask alone must make the network accurate."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import Batches
from methods.learnt_mask import LearntMask
from methods.scoring_copy import scoring_copy, statistics_needed
from sanity.masks import Mask, Survivors, patterns
from sanity.masks.layerwise import AllocationName
from sanity.seeds import derive
from sanity.seeds import generator as seeded


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

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        source = generator if generator is not None else seeded(0, "score")
        with scoring_copy(model, [batches[0]], self.double) as (net, _), statistics_needed(self.called):
            weights = self.targets(net)
            scores = {name: first_scores(weight, derive(source, "scores", name)) for name, weight in weights.items()}
            self.minimise(lambda x, y: self.loss(net, scores, ratio, x, y), scores, net, batches, ratio)
            return self.chosen(scores, ratio)

    def chosen(self, scores: Mapping[str, Tensor], ratio: float) -> Mask:
        """Returns the mask that these scores make: in each layer, the highest of what `rank` says."""
        ranks = {name: score.detach() for name, score in scores.items()}
        if self.rank == "magnitude":
            ranks = {name: score.abs() for name, score in ranks.items()}
        survivors = Survivors(ranks, pattern=patterns.get(self.pattern))
        survivors.prune_round(ranks, ratio, self.rule(), self._keep(survivors, ratio, None))
        return survivors.mask()

    def loss(
        self, net: nn.Module, scores: Mapping[str, Tensor], ratio: float, examples: Tensor, targets: Tensor
    ) -> Tensor:
        """Returns the mean cross-entropy of the masked network; its gradient by the scores goes straight through."""
        weights, kept = self.targets(net), self.chosen(scores, ratio)
        masked = {}
        for name, score in scores.items():
            soft = score.abs() if self.rank == "magnitude" else score
            masked[name] = weights[name].detach() * (kept[name] + (soft - soft.detach()))  # the difference is zero
        logits = torch.func.functional_call(net, masked, (examples,))
        return F.cross_entropy(logits, targets)


def first_scores(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Draws scores from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as torch draws the weights of a layer."""
    bound = 1 / sqrt(max(weight[0].numel(), 1))
    drawn = (2 * torch.rand(weight.shape, generator=generator, dtype=torch.float64) - 1) * bound
    return drawn.to(weight.device, weight.dtype).requires_grad_()
