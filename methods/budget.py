"""Holds the masks that methods construct to the budget."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

import torch
from torch import nn

from sanity.masks import Mask, check_mask, kept
from sanity.masks.allocation import kept_after

if TYPE_CHECKING:
    from methods.base import Batches, Method


def held_to_the_budget(construct: Callable[..., Mask]) -> Callable[..., Mask]:
    """Wraps the `mask` method of a subclass so that the mask it returns is checked."""

    @wraps(construct)
    def checked(
        self: "Method", model: nn.Module, batches: "Batches", ratio: float, generator: torch.Generator | None = None
    ) -> Mask:
        self.check_feasible(model, ratio)
        mask = construct(self, model, batches, ratio, generator)
        weights = self.targets(model)
        total = sum(weight.numel() for weight in weights.values())
        keep = kept_after(self.counts, total, ratio, total) if self.exact_counts else kept(mask)
        return check_mask(mask, weights, keep, ratio, self.rule(), self.kept_together(model), self.called)

    return checked
