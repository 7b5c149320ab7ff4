"""The papers' training settings by name. Imports no torch: `--help` lists them."""

import inspect
from dataclasses import asdict
from typing import Any

from sanity import data
from sanity.config import options
from sanity.errors import unknown
from sanity.recipes.papers import RECIPES
from sanity.recipes.recipe import Recipe, describe

__all__ = ["NAMES", "Recipe", "about", "describe", "get", "summary"]
NAMES = tuple(RECIPES)


def get(name: str, model: str = "", dataset: str = "", **overrides: Any) -> Recipe:
    """The recipe `name` as its paper trains `model` on `dataset`, with `overrides` (text or values) in place of fields.

    Milestones and warm-up keep their place in the run: where only `epochs` is overridden, they are scaled with it.
    The override `for` names the data set that the recipe is meant for, where `dataset` is a copy of it.
    Raises `UserError` for an unknown name or field and for a value out of bounds.
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    meant = str(overrides.pop("for", dataset))
    if meant != dataset and meant not in data.REGISTRY.names():
        raise unknown("recipe.for", meant, data.REGISTRY.names())
    fields = asdict(RECIPES[name](model, meant))
    given = options.fill(Recipe, {**fields, **overrides, "milestones": (), "warmup_epochs": 0}, "recipe")
    scale = given.epochs / fields["epochs"]
    fields["milestones"] = tuple(milestone * scale for milestone in fields["milestones"])
    fields["warmup_epochs"] *= scale
    return options.fill(Recipe, {**fields, **overrides}, "recipe")


def about(name: str) -> str:
    """What is said of the recipe `name`."""
    return inspect.cleandoc(RECIPES[name].__doc__ or "")


def summary(name: str) -> str:
    """One line about the recipe `name`."""
    return about(name).splitlines()[0]
