"""Changes the mask of a training while it goes on, by a rule of `sanity.masks.updates`."""

from collections.abc import Callable

import torch

from sanity.config.moment import iterations
from sanity.masks.updates import MaskUpdates
from sanity.recipes import Recipe
from sanity.seeds import generator
from sanity.training.epochs import Epochs
from sanity.training.stacked_model import StackedModel


class MaskUpdater:
    """Updates the mask of one training when its rule says so.

    It has no state: all that an update looks at is in the checkpoint, and each update draws from a generator of its
    own. A training that goes on from a checkpoint so comes to the same masks.
    """

    def __init__(self, rule: MaskUpdates, seed: int, epochs: Epochs, recipe: Recipe) -> None:
        self.rule, self.seed, self.length = rule, seed, epochs.length
        self.every = max(iterations(rule.every, recipe.epochs, epochs.steps), 1)

    def due(self, iteration: int) -> bool:
        """Returns whether the mask changes at this iteration of the training."""
        return self.rule.due(iteration, self.every, self.length)

    @property
    def count(self) -> int:
        """How many updates the whole training makes."""
        last = self.rule.end(self.length)
        return sum(self.due(iteration) for iteration in {*range(0, last, self.every), last})

    @torch.no_grad()
    def update(self, model: StackedModel, iteration: int, step: Callable[[], None]) -> None:
        """Updates the mask once the gradients of this iteration are there; `step` takes the optimizer's step.

        Where a weight is not finite the mask stays: the training has diverged.
        """
        gradients = {}
        if self.rule.needs_gradient:
            gradients = {name: gradient.clone() for name, gradient in model.gradients().items()}
        if self.rule.steps:
            step()
        weights = model.masked_weights()
        if not all(bool(tensor.isfinite().all()) for tensor in [*weights.values(), *gradients.values()]):
            return
        end = self.rule.end(self.length)
        source = generator(self.seed, "mask update", iteration)
        mask = self.rule.updated(weights, model.mask(), gradients, iteration / end if end else 1.0, source)
        model.set_mask(mask)
