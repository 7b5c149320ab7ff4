"""Edge-popup trains a score for every weight, and never a weight: the mask alone must make the network accurate."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from methods.base import Batches, Method
from methods.data import ScoringData
from methods.foreign.loader import loader_of
from methods.gradients import BatchNorm
from methods.scoring_copy import scoring_copy, statistics_needed
from sanity.errors import UserError
from sanity.masks import Mask, Survivors, patterns
from sanity.masks.layerwise import AllocationName
from sanity.seeds import derive
from sanity.seeds import generator as seeded


@dataclass(frozen=True, kw_only=True)
class EdgePopup(Method):
    """A mask that is optimised: scores s learn by gradient descent which of the untrained weights to keep.

    Formula: the network computes with w * m, m = 1 for the highest |s| of a layer; dL/ds = dL/d(w m) * w * sign(s) for
    all weights, kept or not, as if m were |s| (straight through; Ramanujan et al. 2020, Algorithm 1 and their code's
    example on MNIST). L is the mean cross-entropy over the whole training set, of which the checks of the data change
    what the scores learn from. Weights and biases stay as the initialisation drew them.

    What the paper claims is the accuracy of the ticket *before* its training (`start_test_accuracy` of the record).
    There the mask is all that was learnt, so that a check that moves its positions must destroy it: a ticket that is
    known to depend on positions. Networks without batch norm show it; with it, the statistics of the initialisation
    are used, which say nothing. Weights are `init=kaiming_fan_in` or `init=signed_constant`. A search that was stopped
    starts again.

    The paper's text ranks s, its code |s|, so that the gradient changes its sign with s (`rank`). Their code removes
    int((1 - k) n) of each layer; here `allocation=uniform` shares the exact total out.

    epochs: passes over the training set.
    rank: by the `magnitude` of a score, or by its `value`.
    optimizer: of the scores.
    learning_rate: at the start.
    learning_rate_decay: to zero by half a cosine, a step an epoch; or none.
    momentum: of sgd.
    weight_decay: of the scores.
    batch_size: by default as many examples as the recipe trains on at once.
    augment: with the recipe's crops and flips.
    """

    needs_data: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ramanujan2020": {"epochs": 14, "batch_size": 64, "augment": False},
    }

    allocation: AllocationName = "uniform"
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 14
    rank: Literal["magnitude", "value"] = "magnitude"
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    learning_rate_decay: Literal["cosine", "none"] = "cosine"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    batch_size: Annotated[int, Field(ge=1)] | None = None
    augment: bool = True

    @property
    def data(self) -> ScoringData:
        return ScoringData(whole=True, batch_size=self.batch_size, augment=self.augment)

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        source = generator if generator is not None else seeded(0, "score")
        with scoring_copy(model, [batches[0]], self.double) as (net, _), statistics_needed(type(self).__name__):
            learn_on_batches(net)
            return self.chosen(self._trained(net, batches, ratio, source), ratio)

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

    def _trained(self, net: nn.Module, batches: Batches, ratio: float, source: torch.Generator) -> dict[str, Tensor]:
        weights, loader = self.targets(net), loader_of(batches)
        scores = {name: first_scores(weight, derive(source, "scores", name)) for name, weight in weights.items()}
        optimizer = self._optimizer(list(scores.values()))
        decay = CosineAnnealingLR(optimizer, self.epochs) if self.learning_rate_decay == "cosine" else None
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        like = next(net.parameters())
        for epoch in range(self.epochs):
            for examples, targets in loader:
                loss = self.loss(net, scores, ratio, examples.to(like.device, like.dtype), targets.to(like.device))
                if not loss.isfinite():
                    raise UserError(f"EdgePopup: the loss is not finite in epoch {epoch + 1}; lower its learning_rate")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if decay is not None:
                decay.step()
        return scores

    def _optimizer(self, scores: list[Tensor]) -> torch.optim.Optimizer:
        if self.optimizer == "adam":
            return torch.optim.Adam(scores, self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(scores, self.learning_rate, self.momentum, weight_decay=self.weight_decay)


def learn_on_batches(net: nn.Module) -> None:
    """Lets batch norm take its statistics from the batch, as in any training; dropout stays off."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.train()


def first_scores(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Draws scores from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as torch draws the weights of a layer."""
    bound = 1 / sqrt(max(weight[0].numel(), 1))
    drawn = (2 * torch.rand(weight.shape, generator=generator, dtype=torch.float64) - 1) * bound
    return drawn.to(weight.device, weight.dtype).requires_grad_()
