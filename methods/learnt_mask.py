"""Provides what methods share that learn their mask by gradient descent: options, data, the search on plain batches."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.base import Batches, Method
from methods.data import ScoringData
from methods.foreign.loader import loader_of
from methods.gradients import BatchNorm, gradient
from methods.scoring_copy import scoring_copy, statistics_needed
from sanity.errors import UserError
from sanity.masks import Mask, Scores
from sanity.masks.learning import MaskLearning
from sanity.seeds import derive
from sanity.seeds import generator as seeded


@dataclass(frozen=True, kw_only=True)
class LearntMask(Method):
    """A method whose scores are trained on the whole training set, while the weights stay as they were drawn.

    In a run the search is a training in the suite's loop: in the run's precision, several searches side by side, with
    the order of the data, checkpoints and progress of any training. It is tested after each epoch; nothing is chosen by
    that. With `match=live` each attempt is a training of its own; those that ended before a stop are not repeated.

    epochs: passes over the training set.
    optimizer: of the scores.
    learning_rate: at the start.
    learning_rate_decay: to zero by half a cosine, at every step; or none.
    momentum: of sgd.
    weight_decay: of the scores.
    batch_size: by default as many examples as the recipe trains on at once.
    augment: with the recipe's crops and flips.
    """

    version: ClassVar[int] = 2
    needs_data: ClassVar[bool] = True

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 14
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

    @abstractmethod
    def learning(self, net: nn.Module, ratio: float) -> MaskLearning:
        """Returns the rule by which the scores of `net` make its mask of that ratio."""

    @abstractmethod
    def first_score(self, weight: Tensor, generator: torch.Generator) -> Tensor:
        """Draws the scores of a layer before the first step: float64, shaped like its weight, on the CPU."""

    def first_scores(self, net: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
        """Draws the scores of `net` before the first step, each layer's from a generator of its own."""
        drawn = {
            name: (weight, self.first_score(weight, derive(generator, "scores", name)))
            for name, weight in self.targets(net).items()
        }
        return {name: score.to(weight.device, weight.dtype) for name, (weight, score) in drawn.items()}

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        learn_on_batches(net)
        loader, like = loader_of(batches), next(net.parameters())
        for _ in range(self.epochs):
            for examples, targets in loader:
                logits = net(examples.to(like.device, like.dtype))
                gradient(F.cross_entropy(logits, targets.to(like.device)), self.targets(net))

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        """Learns the mask on batches at hand, in their order and in full precision; a run uses the training loop.

        Batch norm takes its statistics from the batch, dropout is off.
        """
        with scoring_copy(model, [batches[0]], self.double) as (net, _), statistics_needed(self.called):
            learn_on_batches(net)
            rule = self.learning(net, ratio)
            scores = self.first_scores(net, generator if generator is not None else seeded(0, "score"))
            weights = {name: weight.detach().clone() for name, weight in self.targets(net).items()}
            optimizer, alive = self._optimizer(list(scores.values())), rule.first_alive(scores)
            loader, like, step = loader_of(batches), next(net.parameters()), 0
            for epoch in range(1, self.epochs + 1):
                for examples, targets in loader:
                    optimizer.param_groups[0]["lr"] = self.rate(step / len(loader))
                    batch = examples.to(like.device, like.dtype), targets.to(like.device)
                    loss, by_score = loss_and_gradients(net, rule, weights, scores, alive, batch)
                    if not loss.isfinite():
                        raise self.diverged(epoch)
                    for name, score in scores.items():
                        score.grad = by_score[name]
                    optimizer.step()
                    rule.bound(scores)
                    step += 1
                alive = rule.ended(epoch, scores, alive)
            return rule.mask(scores, alive)

    def rate(self, position: float) -> float:
        """Returns the learning rate `position` epochs into the search."""
        falls = self.learning_rate_decay == "cosine"
        return self.learning_rate * (1 + cos(pi * position / self.epochs)) / 2 if falls else self.learning_rate

    def diverged(self, epoch: int) -> UserError:
        """Returns the error of a search whose loss stopped being finite in that epoch, counted from 1."""
        return UserError(f"{self.called}: the loss is not finite in epoch {epoch}; lower its learning_rate")

    def _optimizer(self, scores: list[Tensor]) -> torch.optim.Optimizer:
        if self.optimizer == "adam":
            return torch.optim.Adam(scores, self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(scores, self.learning_rate, self.momentum, weight_decay=self.weight_decay)


def loss_and_gradients(
    net: nn.Module,
    rule: MaskLearning,
    weights: Scores,
    scores: Scores,
    alive: Mapping[str, Tensor],
    batch: tuple[Tensor, Tensor],
) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the mean cross-entropy of `net` with the masked `weights`, and the gradient that the scores learn by."""
    examples, targets = batch
    factors = rule.factors(scores, alive)
    masked = {name: (weight * factors[name]).requires_grad_() for name, weight in weights.items()}
    loss = F.cross_entropy(torch.func.functional_call(net, masked, (examples,)), targets)
    gradients = dict(zip(masked, torch.autograd.grad(loss, list(masked.values())), strict=True))
    rule.by_scores(gradients, weights, scores, alive)
    return loss.detach(), gradients


def learn_on_batches(net: nn.Module) -> None:
    """Lets batch norm take its statistics from the batch, as in any training."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.train()
