"""The examples that a method scores on: drawn by its own options, shown as the recipe shows images."""

from dataclasses import replace

import torch
from torch import Tensor

from methods.base import Batches, Method
from methods.gradients import GradientMethod
from sanity.data.dataset import Dataset, scoring_indices
from sanity.errors import UserError
from sanity.recipes import Recipe
from sanity.seeds import derive
from sanity.training.batches import BatchBuilder, EpochOrder, normalisation


def scoring_batches(method: Method, dataset: Dataset, recipe: Recipe, generator: torch.Generator) -> Batches:
    """(examples, targets) for `method`, normalised as the recipe does, cropped and flipped where the method wants it.

    A method that needs no data gets one example, for its shape. Raises `UserError` where there are too few examples.
    """
    statistics = normalisation(dataset, recipe.normalise)
    still = replace(recipe, crop_padding=0, flip=False)
    if not method.needs_data:
        return [BatchBuilder(dataset, still, *statistics).test(slice(0, 1))]
    if not isinstance(method, GradientMethod):
        raise UserError(
            f"{type(method).__name__} needs data: derive it from methods.gradients.GradientMethod, which says how"
        )
    shown = recipe if method.augment else still
    images = BatchBuilder(dataset, shown, *statistics)
    parts = scoring_indices(
        dataset,
        examples_per_class=method.examples_per_class,
        examples=method.examples,
        batches=method.batches,
        balanced=method.balanced,
        order=method.order,
        split=method.split,
        generator=generator,
    )
    plans = [_plan(part, shown, derive(generator, "augment", number)) for number, part in enumerate(parts)]
    return [images.train(plan, slice(None)) for plan in plans]


def _plan(index: Tensor, recipe: Recipe, generator: torch.Generator) -> EpochOrder:
    device = index.device
    shift = torch.randint(2 * recipe.crop_padding + 1, (1, len(index), 2), generator=generator)
    flip = torch.rand(1, len(index), generator=generator) < (0.5 if recipe.flip else 0.0)
    return EpochOrder(index[None], shift.to(device), flip.to(device))
