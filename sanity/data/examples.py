"""Fetches images by position, so that a data set need not fit in memory.

A data set in memory holds its images as one tensor. One that does not fit holds an `Examples`: images read from files
(`sanity.data.image_files`), or a view of other images, such as a subset or images that a check has changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from sanity.data.random_crops import RandomCrops, resized

Facts = TypeVar("Facts")


@runtime_checkable
class Examples(Protocol):
    """Interface of uint8 images (N, C, H, W) that are read or computed on demand."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W), as a tensor's."""

    @property
    def device(self) -> torch.device:
        """Where `fetch` puts the images."""

    def __len__(self) -> int:
        """N."""

    def fetch(self, indices: Tensor) -> Tensor:
        """Returns the images at `indices` (n,), int64: (n, C, H, W) uint8 on `device`; equal at every call."""

    def prefetch(self, indices: Tensor) -> None:
        """Starts to read the images of a later `fetch(indices)`; returns at once."""

    def to(self, device: torch.device | str) -> "Examples":
        """Returns the same images, fetched to `device`."""

    def remembered(self, name: str, compute: Callable[[], Facts]) -> Facts:
        """Returns the result of `compute`, JSON values from a pass over all images, cached under `name` if possible."""


@runtime_checkable
class Croppable(Examples, Protocol):
    """Interface of images of which random crops are taken from whole files, which are larger than the images."""

    @property
    def croppable(self) -> bool:
        """Whether this is so: views have the property, too."""

    def fetch_crops(self, indices: Tensor, crops: RandomCrops) -> Tensor:
        """Returns a random crop of each image at `indices` (n,), at its size: (n, C, H, W) uint8 on `device`."""

    def prefetch_crops(self, indices: Tensor, crops: RandomCrops) -> None:
        """Starts to read the crops of a later `fetch_crops(indices, crops)`; returns at once."""

    def contents(self, indices: Tensor) -> Iterator[bytes]:
        """Yields the content of each file, and how its image is made of it."""


class View:
    """Base class of views: images computed from `base`, with its shape, device and prefetching.

    A subclass overrides `fetch`, and `_place` if its image at an index comes from another index of `base`.
    """

    def __init__(self, base: "Tensor | Examples") -> None:
        self.base = base

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        count, channels, height, width = self.base.shape
        return count, channels, height, width

    @property
    def device(self) -> torch.device:
        """Where `fetch` puts the images."""
        return self.base.device

    def __len__(self) -> int:
        return self.shape[0]

    def fetch(self, indices: Tensor) -> Tensor:
        """Returns the images of `base` at `indices`."""
        return fetch(self.base, self._place(indices))

    def prefetch(self, indices: Tensor) -> None:
        """Lets `base` prefetch the images behind `indices`."""
        if not isinstance(self.base, Tensor):
            self.base.prefetch(self._place(indices))

    def to(self, device: torch.device | str) -> Examples:
        """Returns a view of the same images on `device`."""
        base = self.base.to(device)
        if base is self.base:
            return self
        moved = object.__new__(type(self))
        moved.__dict__ = {**self.__dict__, "base": base}
        return moved

    def remembered(self, name: str, compute: Callable[[], Facts]) -> Facts:
        """Returns the result of `compute`; facts about views are not cached."""
        return compute()

    @property
    def croppable(self) -> bool:
        """Whether random crops are taken from the whole files: not of images that are computed."""
        return False

    def _place(self, indices: Tensor) -> Tensor:
        return indices


class Selected(View):
    """View of the images of `base` at the positions `index`, in that order."""

    def __init__(self, base: "Tensor | Examples", index: Tensor) -> None:
        super().__init__(base)
        self.index = index.cpu()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return len(self.index), *super().shape[1:]

    @property
    def croppable(self) -> bool:
        """Whether `base` is."""
        return is_croppable(self.base)

    def fetch_crops(self, indices: Tensor, crops: RandomCrops) -> Tensor:
        """Returns random crops of the images of `base` at `indices`."""
        return fetch_crops(self.base, self._place(indices), crops)

    def prefetch_crops(self, indices: Tensor, crops: RandomCrops) -> None:
        """Lets `base` prefetch the crops."""
        prefetch_crops(self.base, self._place(indices), crops)

    def contents(self, indices: Tensor) -> Iterator[bytes]:
        """Yields the files behind `indices`."""
        assert isinstance(self.base, Croppable)
        yield from self.base.contents(self._place(indices))

    def _place(self, indices: Tensor) -> Tensor:
        return self.index[indices.cpu()]


def fetch(examples: Tensor | Examples, indices: Tensor) -> Tensor:
    """Returns the images at `indices` of a tensor or an `Examples`."""
    if isinstance(examples, Tensor):
        return examples.index_select(0, indices.to(examples.device))  # faster than []: it copies whole rows
    return examples.fetch(indices)


def is_croppable(examples: Tensor | Examples) -> bool:
    """Whether random crops of `examples` are taken from whole files."""
    return isinstance(examples, Croppable) and examples.croppable


def fetch_crops(examples: Tensor | Examples, indices: Tensor, crops: RandomCrops) -> Tensor:
    """Returns random crops, resized to the images' size: of the whole files, else of the images at `indices`."""
    if isinstance(examples, Croppable) and examples.croppable:
        return examples.fetch_crops(indices, crops)
    images = fetch(examples, indices)
    return resized(images, replace(crops, seeds=crops.seeds.to(images.device)).boxes(*images.shape[2:]))


def prefetch_crops(examples: Tensor | Examples, indices: Tensor, crops: RandomCrops | None) -> None:
    """Starts to read what a later `fetch_crops(indices, crops)` needs, or `fetch(indices)` without crops."""
    if crops is not None and isinstance(examples, Croppable) and examples.croppable:
        examples.prefetch_crops(indices, crops)
    elif not isinstance(examples, Tensor):
        examples.prefetch(indices)


def contents(examples: Tensor | Examples, size: int) -> Iterator[bytes | memoryview]:
    """Yields all bytes that training on `examples` can depend on: of files that crops are taken from, else pixels."""
    if isinstance(examples, Croppable) and examples.croppable:
        yield from examples.contents(torch.arange(len(examples)))
        return
    for chunk in chunks(examples, size):
        yield chunk.contiguous().cpu().numpy().data


def select(examples: Tensor | Examples, index: Tensor) -> Tensor | Examples:
    """Returns the images at `index`: a tensor if `examples` is one, else a view."""
    return examples[index] if isinstance(examples, Tensor) else Selected(examples, index)


def chunks(examples: Tensor | Examples, size: int) -> Iterator[Tensor]:
    """Yields all images in order, `size` at a time; the next chunk is read while one is in use."""
    if isinstance(examples, Tensor):
        yield from examples.split(size)
        return
    parts = torch.arange(len(examples)).split(size)
    for part, following in zip(parts, (*parts[1:], None), strict=True):
        if following is not None:
            examples.prefetch(part)  # before its successor, which would otherwise be read first
            examples.prefetch(following)
        yield examples.fetch(part)


def remembered(examples: Tensor | Examples, name: str, compute: Callable[[], Facts]) -> Facts:
    """Returns the result of `compute`, a pass over all images; cached if the images are read from files."""
    return compute() if isinstance(examples, Tensor) else examples.remembered(name, compute)
