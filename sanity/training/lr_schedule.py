"""Computes the learning rate from the position on the schedule: it has no state, so a resumed run gets it right."""

from collections.abc import Mapping, Sequence
from math import cos, pi

from sanity.recipes import Recipe

_START, _END = 1 / 25, 1 / 25e4
"""one_cycle: first and last rate as fractions of the peak, as in Smith and Topin 2018's common implementation."""


def rate(recipe: Recipe, position: float, curve: Sequence[Mapping[str, float]] = ()) -> float:
    """Returns the learning rate `position` epochs into the recipe, a fraction within an epoch.

    `curve` holds the epochs of this run so far, for plateau, which looks at their "train_loss" or "test_loss".
    Past the recipe's end the last value holds.
    """
    here = min(position, recipe.epochs)
    if recipe.schedule == "one_cycle":
        return recipe.lr * _one_cycle(here, recipe.warmup_epochs or 0.3 * recipe.epochs, recipe.epochs)
    warm = recipe.warmup_epochs
    rise = min(1.0, here / warm) if warm else 1.0
    match recipe.schedule:
        case "steps":
            # A milestone that is a fraction of an epoch must not miss its step by a rounding error.
            factor = recipe.gamma ** sum(milestone <= here + 1e-9 for milestone in recipe.milestones)
        case "cosine":
            factor = _half_cosine(1.0, 0.0, (max(here, warm) - warm) / max(recipe.epochs - warm, 1e-9))
        case "plateau":
            drops = _plateaus([row[f"{recipe.plateau_on}_loss"] for row in curve], recipe.patience)
            factor = max(recipe.gamma**drops, min(recipe.min_lr / recipe.lr, 1.0))
        case _:
            factor = 1.0
    return recipe.lr * rise * factor


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + cos(pi * progress)) / 2


def _one_cycle(here: float, peak: float, end: float) -> float:
    if here < peak:
        return _half_cosine(_START, 1.0, here / peak)
    return _half_cosine(1.0, _END, (here - peak) / max(end - peak, 1e-9))


def _plateaus(losses: Sequence[float], patience: int, threshold: float = 1e-4) -> int:
    """Counts how often the loss did not fall by the relative `threshold` for more than `patience` epochs on end."""
    best, bad, drops = float("inf"), 0, 0
    for loss in losses:
        best, bad = (loss, 0) if loss < best * (1 - threshold) else (best, bad + 1)
        if bad > patience:
            drops, bad = drops + 1, 0
    return drops
