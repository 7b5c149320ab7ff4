"""Draws the examples that a method scores on, by the method's options, and preprocesses them by the recipe."""

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from methods.base import Batches, Method
from methods.data import ScoringData
from sanity.data.dataset import Dataset
from sanity.errors import UserError, unknown
from sanity.grid.scoring_loader import WholeSet, crops_of
from sanity.recipes import Recipe
from sanity.seeds import derive
from sanity.training.batches import BatchBuilder, normalisation


def scoring_batches(method: Method, dataset: Dataset, recipe: Recipe, generator: torch.Generator) -> Batches:
    """Returns (examples, targets) batches for `method`, normalised by the recipe, augmented if the method asks for it.

    A method that needs no data gets one example, for its shape; one that reads all examples gets a `WholeSet`.
    Raises `UserError` if there are too few examples.
    """
    statistics = normalisation(dataset, recipe.normalise)
    still = replace(recipe, crop_padding=0, crop_scale=None, flip=False)
    if not method.needs_data:
        return [BatchBuilder(dataset, still, *statistics).test(slice(0, 1))]
    data = method.data
    if data is None:
        raise UserError(
            f"{type(method).__name__} needs data, but does not say which: derive it from "
            "methods.gradients.GradientMethod, or let its property `data` return a methods.data.ScoringData"
        )
    shown = recipe if data.augment else still
    images = BatchBuilder(dataset, shown, *statistics)
    if data.whole:
        return WholeSet(images, shown, data.batch_size or recipe.batch_size, generator)
    parts = scoring_indices(dataset, data, generator)
    for number in range(1, data.passes):
        parts += _reordered(parts[: len(parts) // number], derive(generator, "pass", number))
    plans = [crops_of(part, shown, derive(generator, "augment", number)) for number, part in enumerate(parts)]
    return [images.train(plan, slice(None)) for plan in plans]


def _reordered(parts: list[Tensor], generator: torch.Generator) -> list[Tensor]:
    """Shuffles the examples across batches; batch sizes stay the same."""
    index = torch.cat(parts)
    order = torch.randperm(len(index), generator=generator).to(index.device)
    return list(index[order].split([len(part) for part in parts]))


def scoring_indices(dataset: Dataset, data: ScoringData, generator: torch.Generator) -> list[Tensor]:
    """Draws the indices, on the data's device, of the examples of `batches` * `split` scoring batches.

    Every batch is drawn independently and without replacement within it: `examples_per_class` of every class, or,
    unless `balanced`, examples_per_class * classes examples whatever their class; `examples` asks for exactly that
    many whatever their class. `order` "mixed" is a random order; "class_sorted" is class after class, so that the
    halves of `split=2` see different classes (official GraSP). `split` cuts each batch into consecutive parts whose
    sizes differ by at most one; `batch_size` cuts it into parts of so many examples, the last of which may be smaller.
    Raises `UserError` where there are too few examples, naming the class.
    """
    if data.order not in ("mixed", "class_sorted"):
        raise unknown("order", data.order, ("mixed", "class_sorted"))
    size = data.examples or data.examples_per_class * dataset.classes
    if not 1 <= data.split <= size:
        raise UserError(f"split={data.split}: a batch of {size} examples can be cut into 1 to {size} parts")
    if data.split > 1 and data.batch_size is not None:
        raise UserError(f"split={data.split} and batch_size={data.batch_size} both cut a batch; set one of them")
    targets = dataset.targets.cpu()
    parts: list[Tensor] = []
    for _ in range(data.batches):
        index = _drawn(targets, dataset.classes, size, data.balanced and data.examples is None, generator)
        if data.order == "class_sorted":
            index = index[targets[index].argsort(stable=True)]
        index = index.to(dataset.targets.device)
        parts += _parts(index, data.split) if data.batch_size is None else index.split(data.batch_size)
    return parts


def _drawn(targets: Tensor, classes: int, size: int, balanced: bool, generator: torch.Generator) -> Tensor:
    """Draws the indices of `size` examples in random order; if `balanced`, size / classes from every class."""
    if size > len(targets):
        raise UserError(f"{size} examples are asked for scoring, the data set has {len(targets)}")
    shuffled = torch.randperm(len(targets), generator=generator)
    if not balanced:
        return shuffled[:size]
    counts, per_class = targets.bincount(minlength=classes), size // classes
    if counts.min() < per_class:
        rare = int(counts.argmin())
        raise UserError(f"class {rare} has {int(counts[rare])} examples, {per_class} a class are asked for scoring")
    by_class = shuffled[targets[shuffled].argsort(stable=True)]
    first = (counts.cumsum(0) - counts)[:, None] + torch.arange(per_class)
    index = by_class[first.flatten()]
    return index[torch.randperm(len(index), generator=generator)]


def _parts(index: Tensor, split: int) -> list[Tensor]:
    """Cuts into `split` consecutive parts whose sizes differ by at most one."""
    bounds = [part * len(index) // split for part in range(split + 1)]
    return [index[start:stop] for start, stop in pairwise(bounds)]
