"""The examples that a method scores on: drawn by its own options, shown as the recipe shows images."""

from dataclasses import replace

import torch
from torch import Tensor

from methods.base import Batches, Method
from methods.gradients import GradientMethod
from sanity import augment
from sanity.data import Dataset, _drawn, _parts
from sanity.recipes import Recipe
from sanity.seeds import derive


def scoring_batches(method: Method, dataset: Dataset, recipe: Recipe, generator: torch.Generator) -> Batches:
    """(examples, targets) for `method`, normalised as the recipe does, cropped and flipped where the method wants it.

    A method that needs no data gets one example, for its shape. Raises `UserError` where there are too few examples.
    """
    shown = recipe if isinstance(method, GradientMethod) and method.augment else replace(recipe, crop_padding=0, flip=False)
    images = augment.Batches(dataset, shown, *augment.statistics(dataset, recipe.normalise))
    if not isinstance(method, GradientMethod):
        return [images.test(slice(0, 1))]
    targets = dataset.targets.cpu()
    batches = []
    for number in range(method.batches):
        index = _drawn(targets, dataset.classes, method.examples_per_class, method.balanced, generator)
        if method.order == "class_sorted":
            index = index[targets[index].argsort(stable=True)]
        for part in _parts(index, method.split):
            batches.append(images.train(_plan(part, shown, derive(generator, "augment", number)), slice(None)))
    return batches


def _plan(index: Tensor, recipe: Recipe, generator: torch.Generator) -> augment.Plan:
    shift = torch.randint(2 * recipe.crop_padding + 1, (1, len(index), 2), generator=generator)
    flip = torch.rand(1, len(index), generator=generator) < (0.5 if recipe.flip else 0.0)
    return augment.Plan(index[None], shift, flip)
