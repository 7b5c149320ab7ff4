"""Builds batches from uint8 images on the device: draws the order, crops, flips and normalises whole batches.

The draws of an epoch are made on the CPU and moved once, so a CPU and a GPU see the same batches.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from sanity import seeds
from sanity.data.dataset import Dataset, statistics
from sanity.data.examples import fetch_crops, prefetch_crops, remembered
from sanity.data.random_crops import RandomCrops
from sanity.errors import UserError
from sanity.recipes import Recipe

_BATCHES_AHEAD = 2
"""How many batches are read from files while one is trained on."""
_CONSTANTS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "frankle2021_tiny": ((-0.021, -0.0354, -0.0376), (1.21, 1.20, 1.25)),
}


_DRAWS = ("order", "shift", "flip", "crop")
_SEEDS = 1 << 62


@dataclass(frozen=True)
class EpochOrder:
    """Holds the random draws of one epoch for one or several tickets, a row each."""

    order: Tensor
    """int64 (tickets, n): which example comes when."""
    shift: Tensor
    """int64 (tickets, n, 2): rows and columns that the crop's corner is moved by, 0 .. 2 * crop_padding."""
    flip: Tensor
    """bool (tickets, n): mirrored left to right."""
    crop: Tensor
    """int64 (tickets, n): a number of each image's own that its random crop is drawn from, see `RandomCrops`."""

    def to(self, device: torch.device) -> "EpochOrder":
        """Returns the same draws on `device`."""
        return EpochOrder(*(getattr(self, name).to(device) for name in _DRAWS))

    @cached_property
    def order_on_cpu(self) -> Tensor:
        """The order, copied from the device once."""
        return self.order.cpu()

    @cached_property
    def crop_on_cpu(self) -> Tensor:
        """The numbers of the crops, copied from the device once."""
        return self.crop.cpu()

    def copy_(self, source: "EpochOrder") -> None:
        """Copies the draws of `source` in place: a CUDA graph reads the same memory at every replay."""
        for name in _DRAWS:
            getattr(self, name).copy_(getattr(source, name))
            self.__dict__.pop(f"{name}_on_cpu", None)


def train_indices(seed: int, examples: int, recipe: Recipe) -> Tensor:
    """Returns the sorted indices, int64, of the examples that a run with this seed trains on: all but the hold-out."""
    if recipe.holdout == 0:
        return torch.arange(examples)
    return _split(seed, examples)[int(recipe.holdout * examples) :].sort().values


def held_out_indices(seed: int, examples: int, recipe: Recipe) -> Tensor:
    """Returns the sorted indices, int64, of the examples that a run with this seed sets aside; empty without."""
    if recipe.holdout == 0:
        return torch.arange(0)
    return _split(seed, examples)[: int(recipe.holdout * examples)].sort().values


def _split(seed: int, examples: int) -> Tensor:
    """Returns the examples in the order in which they are set aside."""
    return torch.randperm(examples, generator=seeds.generator(seed, "holdout"))


def draw_epoch(seed: int, epoch: int, indices: Tensor, recipe: Recipe) -> EpochOrder:
    """Draws order, shifts and flips of one epoch of the recipe for one ticket, over the examples `indices`."""
    generator = seeds.generator(seed, "train", epoch)
    count = len(indices)
    order = indices[torch.randperm(count, generator=generator)]
    shift, flip = torch.zeros(count, 2, dtype=torch.int64), torch.zeros(count, dtype=torch.bool)
    if recipe.crop_padding:
        shift = torch.randint(2 * recipe.crop_padding + 1, (count, 2), generator=generator)
    if recipe.flip:
        flip = torch.rand(count, generator=generator) < 0.5
    return EpochOrder(order[None], shift[None], flip[None], crop_seeds(count, recipe, generator)[None])


def crop_seeds(count: int, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Draws the numbers that random crops are drawn from: int64 (count,); zeros if the recipe has none."""
    if recipe.crop_scale is None:
        return torch.zeros(count, dtype=torch.int64)
    return torch.randint(_SEEDS, (count,), generator=generator)


def stack_orders(plans: list[EpochOrder]) -> EpochOrder:
    """Stacks the draws of several tickets, a row each."""
    return EpochOrder(*(torch.cat([getattr(plan, name) for plan in plans]) for name in _DRAWS))


def normalisation(train: Dataset, normalise: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the channel mean and standard deviation of pixels / 255 that the recipe normalises with.

    Raises `UserError` where constants of three channels do not fit the images.
    """
    channels = train.examples.shape[1]
    if normalise == "none":
        return (0.0,) * channels, (1.0,) * channels
    if normalise in _CONSTANTS:
        if channels != 3:
            raise UserError(f"recipe.normalise={normalise}: needs 3 channels, the images have {channels}")
        return _CONSTANTS[normalise]
    if normalise == "pixel_std":
        return statistics(train.examples)
    if normalise == "per_image_std":
        return train.mean, _mean_of_stds(train)
    return train.mean, train.std


def _mean_of_stds(train: Dataset) -> tuple[float, ...]:
    """Returns the mean, per channel, of the deviation inside each image."""

    def measured() -> list[float]:
        parts = [chunk.flatten(2).float().div(255).std(2).sum(0) for chunk in train.chunks(1000)]
        return (torch.stack(parts).sum(0) / len(train)).tolist()

    return tuple(remembered(train.examples, "per_image_std", measured))


class BatchBuilder:
    """Turns columns of an epoch's order into normalised images and their targets."""

    def __init__(self, dataset: Dataset, recipe: Recipe, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self.dataset = replace(dataset, mean=mean, std=std)
        self.padding, self.augmented = recipe.crop_padding, recipe.crop_padding > 0 or recipe.flip
        self.scale, self.ratio = recipe.crop_scale, recipe.crop_ratio
        height, width = dataset.examples.shape[2:]
        self._rows = torch.arange(height, device=dataset.examples.device)
        self._columns = torch.arange(width, device=dataset.examples.device)

    def train(self, plan: EpochOrder, columns: slice | Tensor) -> tuple[Tensor, Tensor]:
        """Images (tickets * b, C, H, W) and targets (tickets * b,) of the plan's `columns`, augmented."""
        order = plan.order if self.dataset.in_memory else plan.order_on_cpu
        index = order[:, columns].flatten()
        if self.scale is None:
            images = self.dataset.fetch(index)
            self._read_ahead(order, columns)
        else:
            seeds = plan.crop if self.dataset.in_memory else plan.crop_on_cpu
            images = fetch_crops(self.dataset.examples, index, self._crops(seeds[:, columns]))
            self._read_ahead(order, columns, seeds)
        if self.augmented:
            images = self._crop_and_flip(images, plan.shift[:, columns].flatten(0, 1), plan.flip[:, columns].flatten())
        return self.dataset.normalise(images), self.dataset.targets.index_select(0, index.to(images.device))

    def plain(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images (b, C, H, W) and targets (b,) of the examples `index`, as they are."""
        images = self.dataset.fetch(index if self.dataset.in_memory else index.cpu())
        return self.dataset.normalise(images), self.dataset.targets.index_select(0, index.to(images.device))

    def test(self, where: slice) -> tuple[Tensor, Tensor]:
        """Images (b, C, H, W) and targets (b,) as they are."""
        if isinstance(self.dataset.examples, Tensor):
            images = self.dataset.examples[where]
        else:
            order = torch.arange(len(self.dataset))
            images = self.dataset.fetch(order[where])
            self._read_ahead(order[None], where)
        return self.dataset.normalise(images), self.dataset.targets[where]

    def _crops(self, seeds: Tensor) -> RandomCrops:
        assert self.scale is not None
        return RandomCrops(seeds.flatten(), self.scale, self.ratio)

    def _read_ahead(self, order: Tensor, columns: slice | Tensor, seeds: Tensor | None = None) -> None:
        """Has the batches after `columns` of `order` (tickets, n) read, cropped by `seeds`, if they are in files."""
        if isinstance(self.dataset.examples, Tensor) or isinstance(columns, Tensor) or columns.stop is None:
            return
        size = columns.stop - columns.start
        for start in range(columns.stop, min(columns.stop + _BATCHES_AHEAD * size, order.shape[1]), size):
            part = slice(start, start + size)
            crops = None if seeds is None else self._crops(seeds[:, part])
            prefetch_crops(self.dataset.examples, order[:, part].flatten(), crops)

    def _crop_and_flip(self, images: Tensor, shift: Tensor, flip: Tensor) -> Tensor:
        """Crops, then flips, as the papers' transforms do, in one gather from the zero-padded images."""
        padded = pad(images, (self.padding,) * 4)
        columns = torch.where(flip[:, None], self._columns.flip(0), self._columns)
        rows = (shift[:, :1] + self._rows)[:, :, None]
        columns = (shift[:, 1:] + columns)[:, None, :]
        batch = torch.arange(len(images), device=images.device)[:, None, None]
        return padded[batch, :, rows, columns].permute(0, 3, 1, 2)
