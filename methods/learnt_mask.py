"""Provides what methods share that learn their mask by gradient descent: options, data, the loop over epochs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from methods.base import Batches, Method
from methods.data import ScoringData
from methods.foreign.loader import Loader, loader_of
from methods.gradients import BatchNorm, gradient
from methods.progress import Progress, load, offer
from sanity.errors import UserError


@dataclass(frozen=True, kw_only=True)
class LearntMask(Method):
    """A method whose scores are trained on the whole training set, while the weights stay as they were drawn.

    A search in a run keeps its progress after an epoch, as often as trainings write checkpoints, and goes on there.

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
        scores: Mapping[str, Tensor],
        net: nn.Module,
        batches: Batches,
        ratio: float,
        beside: "Beside | None" = None,
    ) -> None:
        """Trains `scores` in place; batch norm takes its statistics from the batch, dropout is off.

        loss: of the examples and targets of a batch. ratio: that of the mask, which progress that was kept must be of.
        beside: what changes at the ends of epochs.
        Raises `UserError` where the loss stops being finite.
        """
        learn_on_batches(net)
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        beside, like = beside or Beside(), next(net.parameters())
        course = Course(self, scores, loader_of(batches), beside)
        kept = load(str(ratio))
        first = course.resume(*kept) if kept is not None else 1
        for epoch in range(first, self.epochs + 1):
            for examples, targets in course.loader:
                of_batch = loss(examples.to(like.device, like.dtype), targets.to(like.device))
                if not of_batch.isfinite():
                    raise UserError(f"{self.called}: the loss is not finite in epoch {epoch}; lower its learning_rate")
                course.optimizer.zero_grad()
                of_batch.backward()
                course.optimizer.step()
            course.decay()
            beside.ended(epoch)
            offer(str(ratio), partial(course.progress, epoch))

    def optimizer_of(self, scores: list[Tensor]) -> torch.optim.Optimizer:
        """Returns the optimizer of the scores."""
        if self.optimizer == "adam":
            return torch.optim.Adam(scores, self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(scores, self.learning_rate, self.momentum, weight_decay=self.weight_decay)


class Beside:
    """Does what a method does between the epochs; by itself nothing."""

    def ended(self, epoch: int) -> None:
        """Called at the end of each epoch, with its number from 1."""

    def state(self) -> Mapping[str, Tensor]:
        """Returns all that `restore` needs."""
        return {}

    def restore(self, tensors: Mapping[str, Tensor], epoch: int) -> None:
        """Takes over the state after that epoch."""


class Course:
    """Holds the optimizer and the loader of a search, and what the epochs to come depend on."""

    def __init__(self, method: LearntMask, scores: Mapping[str, Tensor], loader: Loader, beside: Beside) -> None:
        self.loader, self.optimizer = loader, method.optimizer_of(list(scores.values()))
        self._scores, self._beside = scores, beside
        falls = method.learning_rate_decay == "cosine"
        self._schedule = CosineAnnealingLR(self.optimizer, method.epochs) if falls else None

    def decay(self) -> None:
        """Sets the learning rate of the next epoch."""
        if self._schedule is not None:
            self._schedule.step()

    def progress(self, epoch: int) -> Progress:
        """Returns all that the epochs after this one depend on."""
        state = self.optimizer.state_dict()
        tensors = {f"scores/{name}": score for name, score in self._scores.items()}
        tensors |= {f"beside/{name}": value for name, value in self._beside.state().items()}
        tensors |= {f"draws/{number}": source.get_state() for number, source in enumerate(self._generators())}
        for number, moments in state["state"].items():
            tensors |= {f"moments/{number}/{name}": torch.as_tensor(value) for name, value in moments.items()}
        rates = [group["lr"] for group in state["param_groups"]]
        return tensors, {"epoch": epoch, "rates": rates}

    @torch.no_grad()
    def resume(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> int:
        """Takes over progress that was kept; returns the number of the next epoch."""
        epoch = int(facts["epoch"])
        for name, score in self._scores.items():
            score.copy_(tensors[f"scores/{name}"])
        for number, source in enumerate(self._generators()):
            source.set_state(tensors[f"draws/{number}"])
        state = self.optimizer.state_dict()
        for name, value in tensors.items():
            if name.startswith("moments/"):
                _, place, moment = name.split("/")
                state["state"].setdefault(int(place), {})[moment] = value
        for group, rate in zip(state["param_groups"], facts["rates"], strict=True):
            group["lr"] = rate
        self.optimizer.load_state_dict(state)
        if self._schedule is not None:  # it computes a rate from the one before, which the optimizer has
            self._schedule.last_epoch = epoch
        of_beside = {name.removeprefix("beside/"): v for name, v in tensors.items() if name.startswith("beside/")}
        self._beside.restore(of_beside, epoch)
        return epoch + 1

    def _generators(self) -> list[torch.Generator]:
        """Returns what the order of the examples and their crops are drawn from."""
        sources = (self.loader.generator, getattr(self.loader.dataset, "generator", None))
        return [source for source in sources if isinstance(source, torch.Generator)]


def learn_on_batches(net: nn.Module) -> None:
    """Lets batch norm take its statistics from the batch, as in any training."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.train()
