"""Lists the papers' training settings by name, without importing torch, since `--help` shows them."""

import inspect
from dataclasses import asdict
from typing import Any

from sanity import data
from sanity.config import options
from sanity.errors import unknown
from sanity.recipes.papers import RECIPES
from sanity.recipes.recipe import Recipe, complete, describe

__all__ = ["NAMES", "Recipe", "about", "complete", "describe", "get", "summary"]
NAMES = tuple(RECIPES)


def get(name: str, model: str = "", dataset: str = "", /, **overrides: Any) -> Recipe:
    """Returns the recipe by which the paper `name` trains `model` on `dataset`, with `overrides` (text or values).

    Milestones and warm-up scale with `epochs` unless they are overridden themselves.
    If `dataset` is a user's copy of a known data set, the override `for` names the known one.
    Raises `UserError` for an unknown name or field and for a value out of bounds.
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    known_dataset = str(overrides.pop("for", dataset))
    if known_dataset != dataset and known_dataset not in data.REGISTRY.names():
        raise unknown("recipe.for", known_dataset, data.REGISTRY.names())
    fields = asdict(RECIPES[name](model, known_dataset))
    scaled = options.fill(Recipe, {**fields, **overrides, "milestones": (), "warmup_epochs": 0}, "recipe")
    scale = scaled.epochs / fields["epochs"]
    fields["milestones"] = tuple(milestone * scale for milestone in fields["milestones"])
    fields["warmup_epochs"] *= scale
    return options.fill(Recipe, {**fields, **overrides}, "recipe")


def about(name: str) -> str:
    """Returns the description of the recipe `name`."""
    return inspect.cleandoc(RECIPES[name].__doc__ or "")


def summary(name: str) -> str:
    """Returns the first line of the description of the recipe `name`."""
    return about(name).splitlines()[0]
