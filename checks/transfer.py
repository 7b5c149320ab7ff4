"""Searches on another data set: is the ticket one of these data, or of images in general?"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from checks.base import Check
from sanity.config.options import names
from sanity.data import REGISTRY
from sanity.data.dataset import Dataset, load, statistics
from sanity.errors import UserError

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True, kw_only=True)
class Transfer(Check):
    """Searches the ticket on another data set; it is retrained on the run's own.

    Null hypothesis: the ticket is no more specific to these data than one of another data set.

    Morcos et al. 2019, who carry tickets over from one data set to another. The other training set lies in the run's
    data_dir too. As many of its examples as the run has (the first of every class), or all where it has fewer, are
    brought to the run's shape: bilinear resizing, grey repeated over the channels or colours averaged to grey. They are
    normalised by their own statistics. Labels beyond the run's classes are folded (label modulo classes); a data set of
    fewer classes is refused, since the classifier would never see the others.

    dataset: the data set of the search.
    """

    keeps: ClassVar[str] = "the network, its initialisation, and the shape and number of the examples"
    destroys: ClassVar[str] = "the data: images and labels are another data set's"
    draws: ClassVar[bool] = False

    dataset: Literal["digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet"] = "digits"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        other = self._other(dataset)
        folded = replace(other, targets=other.targets % dataset.classes, classes=dataset.classes)
        return folded.to(dataset.examples.device)

    def inputs(self, dataset: Dataset) -> str:
        return self._other(dataset).digest

    def _other(self, dataset: Dataset) -> Dataset:
        """Returns the other data set in the shape of the run's. Raises `UserError` where it cannot take its place."""
        if self.dataset == dataset.name:
            raise UserError(f"transfer.dataset={self.dataset}: is the run's own data set; name another")
        other = _load(self.dataset, dataset.folder, len(dataset), dataset.input_shape)
        if other.classes < dataset.classes:
            raise UserError(
                f"transfer.dataset={self.dataset}: has {other.classes} classes, {dataset.name or 'the data set'} has "
                f"{dataset.classes}; name one with as many or more"
            )
        return other


@lru_cache(maxsize=2)
def _load(name: str, folder: Path, limit: int, shape: tuple[int, int, int]) -> Dataset:
    """Loads the training set in this shape; cached, since every seed asks for it. It is never downloaded."""
    offline = {"download": False} if "download" in names(REGISTRY.load(name)) else {}
    other, _ = load(name, folder, limit=limit, **offline)
    images = torch.cat([fitted(part, shape) for part in other.chunks(1024)])
    mean, std = statistics(images)
    return replace(other, examples=images, mean=mean, std=std)


def fitted(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Returns uint8 `images` (n, C, H, W) with the channels and size of `shape` (C, H, W)."""
    channels, height, width = shape
    values = images.float()
    if images.shape[1] != channels:
        weights = torch.tensor(_LUMINANCE if images.shape[1] == 3 else [1 / images.shape[1]] * images.shape[1])
        values = (values * weights.view(-1, 1, 1)).sum(1, keepdim=True).expand(-1, channels, -1, -1)
    if images.shape[2:] != (height, width):
        values = interpolate(values, (height, width), mode="bilinear", antialias=True)
    return values.round().clamp(0, 255).to(torch.uint8)
