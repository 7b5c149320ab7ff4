"""Holds the masks that methods construct to the budget."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

import torch
from torch import nn

from sanity.masks import Mask, check_mask
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
        return within_budget(self, model, ratio, construct(self, model, batches, ratio, generator))

    return checked


def within_budget(method: "Method", model: nn.Module, ratio: float, mask: Mask) -> Mask:
    """Returns a mask that `method` constructed. Raises `UserError` where its names, shapes or counts are wrong."""
    weights = method.targets(model)
    total = sum(weight.numel() for weight in weights.values())
    keep = kept_after(method.counts, total, ratio, total) if method.exact_counts else None
    return check_mask(mask, weights, keep, ratio, method.rule(), method.kept_together(model), method.called)
