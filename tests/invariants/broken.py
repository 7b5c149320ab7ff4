"""Defines methods and checks that each break one rule, so that tests can show that the invariants notice."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from checks.base import Check
from methods.base import Batches, Method
from sanity.data.dataset import Dataset
from sanity.masks import Mask, prunable
from sanity.masks.ticket import Ticket


class _Base(Method):
    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: weight.detach().abs() for name, weight in self.targets(net).items()}


class Mutating(_Base):
    """Changes the model that it was given."""

    def score(self, model: nn.Module, batches: Batches, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        with torch.no_grad():
            next(iter(prunable(model).values())).mul_(0.5)
        return super().score(model, batches, generator)


class Unsettling(_Base):
    """Leaves the model in another mode."""

    def score(self, model: nn.Module, batches: Batches, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        model.eval()
        return super().score(model, batches, generator)


class Eroding(_Base):
    """Changes the weights of its copy, which later rounds score."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        scores = super().saliency(net, batches, generator)
        with torch.no_grad():
            for weight in self.targets(net).values():
                weight.mul_(0.5)
        return scores


class Overwriting(_Base):
    """Changes the examples in place."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        batches[0][0].zero_()
        return super().saliency(net, batches, generator)


class GlobalRandom(_Base):
    """Draws from torch's global generator."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: torch.rand_like(weight) for name, weight in self.targets(net).items()}


class Homebound(_Base):
    """Draws on the CPU and leaves it there, whatever device the network is on."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: torch.rand(weight.shape, generator=generator) for name, weight in self.targets(net).items()}


class Mixing(_Base):
    """Multiplies weights, wherever they are, by numbers on the CPU."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        scores = super().saliency(net, batches, generator)
        return {name: score * torch.rand(score.shape, generator=generator) for name, score in scores.items()}


class Drawing(_Base):
    """Draws on the network's device from the generator, which is on the CPU."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        weights = self.targets(net)
        return {name: torch.rand(w.shape, device=w.device, generator=generator) for name, w in weights.items()}


class NotANumber(_Base):
    """Divides zero by zero."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: (weight.detach() * 0) / 0 for name, weight in self.targets(net).items()}


class Flattened(_Base):
    """Scores of the wrong shape."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: score.flatten() for name, score in super().saliency(net, batches, generator).items()}


class Forgetful(_Base):
    """No score for the classifier."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return dict(list(super().saliency(net, batches, generator).items())[:-1])


class Peeking(_Base):
    """Reads the labels and says that it needs no data."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        scores = super().saliency(net, batches, generator)
        return {name: score + batches[0][0].mean() * score.square() for name, score in scores.items()}


class Reviving(_Base):
    """Forgets in each round what earlier ones pruned."""

    def prune(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator, alive: Mask) -> Mask:
        anew = {name: torch.rand(mask.shape, generator=generator) for name, mask in alive.items()}
        threshold = torch.cat([values.flatten() for values in anew.values()]).quantile(ratio)
        return {name: values > threshold for name, values in anew.items()}


class Careless(_Base):
    """Keeps what is above a threshold, whatever their number."""

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        scores = self.score(model, batches, generator)
        threshold = torch.cat([score.flatten() for score in scores.values()]).quantile(ratio)
        return {name: score >= threshold + 0.01 for name, score in scores.items()}


class Tied(_Base):
    """One score for all: position decides alone."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: torch.ones_like(weight) for name, weight in self.targets(net).items()}


class NoMethod:
    """Not derived from `Method`."""


@dataclass(frozen=True, kw_only=True)
class Noop(Check):
    """Permutes a copy and returns the original, as a published shuffle did."""

    keeps: ClassVar[str] = "everything, alas"
    destroys: ClassVar[str] = "nothing, alas"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        for mask in ticket.mask.values():
            mask = mask.flatten()[torch.randperm(mask.numel(), generator=generator)].view_as(mask)
        return ticket


@dataclass(frozen=True, kw_only=True)
class InPlace(Check):
    """Corrupts the data set that retraining sees too."""

    keeps: ClassVar[str] = "images"
    destroys: ClassVar[str] = "labels, everywhere"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        dataset.targets.random_(0, dataset.classes, generator=generator)
        return dataset


@dataclass(frozen=True, kw_only=True)
class Thinning(Check):
    """Prunes more, so that the accuracies can no longer be compared."""

    keeps: ClassVar[str] = "weights"
    destroys: ClassVar[str] = "half of the mask"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        def half(mask: Tensor) -> Tensor:
            return mask & (torch.rand(mask.shape, generator=generator) < 0.5)

        return replace(ticket, mask={name: half(mask) for name, mask in ticket.mask.items()})


@dataclass(frozen=True, kw_only=True)
class Fetching(Check):
    """Brings the labels to the CPU."""

    keeps: ClassVar[str] = "images"
    destroys: ClassVar[str] = "labels"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        return replace(dataset, targets=torch.randint(dataset.classes, (len(dataset),), generator=generator))


@dataclass(frozen=True, kw_only=True)
class Unseeded(Check):
    """Draws from the global generator."""

    keeps: ClassVar[str] = "images"
    destroys: ClassVar[str] = "labels, differently every time"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        labels: Any = torch.randint(dataset.classes, (len(dataset),))
        return replace(dataset, targets=labels)
