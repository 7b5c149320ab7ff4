"""Provides what methods share that learn their mask by gradient descent: options, data, the loop over epochs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from methods.base import Batches, Method
from methods.data import ScoringData
from methods.foreign.loader import loader_of
from methods.gradients import BatchNorm, gradient
from sanity.errors import UserError


@dataclass(frozen=True, kw_only=True)
class LearntMask(Method):
    """A method whose scores are trained on the whole training set, while the weights stay as they were drawn.

    A search that was stopped starts again.

    epochs: passes over the training set.
    optimizer: of the scores.
    learning_rate: at the start.
    learning_rate_decay: to zero by half a cosine, a step an epoch; or none.
    momentum: of sgd.
    weight_decay: of the scores.
    batch_size: by default as many examples as the recipe trains on at once.
    augment: with the recipe's crops and flips.
    """

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

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        learn_on_batches(net)
        loader, like = loader_of(batches), next(net.parameters())
        for _ in range(self.epochs):
            for examples, targets in loader:
                logits = net(examples.to(like.device, like.dtype))
                gradient(F.cross_entropy(logits, targets.to(like.device)), self.targets(net))

    def minimise(
        self,
        loss: Callable[[Tensor, Tensor], Tensor],
        scores: list[Tensor],
        net: nn.Module,
        batches: Batches,
        ended: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        """Trains `scores` in place; batch norm takes its statistics from the batch, dropout is off.

        loss: of the examples and targets of a batch. ended: called with the number of each epoch, from 1, at its end.
        Raises `UserError` where the loss stops being finite.
        """
        learn_on_batches(net)
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        optimizer, loader, like = self._optimizer(scores), loader_of(batches), next(net.parameters())
        decay = CosineAnnealingLR(optimizer, self.epochs) if self.learning_rate_decay == "cosine" else None
        for epoch in range(1, self.epochs + 1):
            for examples, targets in loader:
                of_batch = loss(examples.to(like.device, like.dtype), targets.to(like.device))
                if not of_batch.isfinite():
                    raise UserError(f"{self.called}: the loss is not finite in epoch {epoch}; lower its learning_rate")
                optimizer.zero_grad()
                of_batch.backward()
                optimizer.step()
            if decay is not None:
                decay.step()
            ended(epoch)

    def _optimizer(self, scores: list[Tensor]) -> torch.optim.Optimizer:
        if self.optimizer == "adam":
            return torch.optim.Adam(scores, self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(scores, self.learning_rate, self.momentum, weight_decay=self.weight_decay)


def learn_on_batches(net: nn.Module) -> None:
    """Lets batch norm take its statistics from the batch, as in any training."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.train()
