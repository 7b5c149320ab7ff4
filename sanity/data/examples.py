"""Images that are fetched by position, so that a data set need not fit in memory.

A data set in memory holds its images as one tensor. One that does not fit holds an `Examples`: images read from files
(`sanity.data.image_files`), or a view of other images, such as a part of them or the ones that a check has changed.
"""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

Facts = TypeVar("Facts")


@runtime_checkable
class Examples(Protocol):
    """Images (N, C, H, W), uint8, that are read or computed when they are asked for."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W), as a tensor's."""

    @property
    def device(self) -> torch.device:
        """Where `fetch` puts the images."""

    def __len__(self) -> int:
        """N."""

    def fetch(self, indices: Tensor) -> Tensor:
        """The images at `indices` (n,), int64: (n, C, H, W) uint8 on `device`; the same ones whenever asked."""

    def prefetch(self, indices: Tensor) -> None:
        """Begins to read what a later `fetch(indices)` will ask for; returns at once."""

    def to(self, device: torch.device | str) -> "Examples":
        """The same images, fetched to `device`."""

    def remembered(self, name: str, compute: Callable[[], Facts]) -> Facts:
        """What `compute` finds in a pass over all images (what JSON holds), kept under `name` where it can be."""


class View:
    """Base of views: other images whose shape, device and reading ahead are those of `base`.

    A subclass overrides `fetch`, and `_place` where its image at an index is made from one of `base` at another index.
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
        """The images at `indices`, as `base` has them."""
        return fetch(self.base, self._place(indices))

    def prefetch(self, indices: Tensor) -> None:
        """Has `base` read ahead."""
        if not isinstance(self.base, Tensor):
            self.base.prefetch(self._place(indices))

    def to(self, device: torch.device | str) -> Examples:
        """A view of the same images on `device`."""
        base = self.base.to(device)
        if base is self.base:
            return self
        moved = object.__new__(type(self))
        moved.__dict__ = {**self.__dict__, "base": base}
        return moved

    def remembered(self, name: str, compute: Callable[[], Facts]) -> Facts:
        """What `compute` gives: facts of a view are not kept."""
        return compute()

    def _place(self, indices: Tensor) -> Tensor:
        return indices


class Selected(View):
    """The images of `base` at the positions `index`, in that order."""

    def __init__(self, base: "Tensor | Examples", index: Tensor) -> None:
        super().__init__(base)
        self.index = index.cpu()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return len(self.index), *super().shape[1:]

    def _place(self, indices: Tensor) -> Tensor:
        return self.index[indices.cpu()]


def fetch(examples: Tensor | Examples, indices: Tensor) -> Tensor:
    """The images at `indices`, from a tensor or from what is fetched."""
    if isinstance(examples, Tensor):
        return examples.index_select(0, indices.to(examples.device))  # copies whole rows, where [] goes byte by byte
    return examples.fetch(indices)


def select(examples: Tensor | Examples, index: Tensor) -> Tensor | Examples:
    """The images at `index`: a tensor of them, or a view."""
    return examples[index] if isinstance(examples, Tensor) else Selected(examples, index)


def chunks(examples: Tensor | Examples, size: int) -> Iterator[Tensor]:
    """All images in order, `size` at a time; the next ones are read while one is in use."""
    if isinstance(examples, Tensor):
        yield from examples.split(size)
        return
    parts = torch.arange(len(examples)).split(size)
    for part, following in zip(parts, (*parts[1:], None), strict=True):
        if following is not None:
            examples.prefetch(part)  # else the following would be read first
            examples.prefetch(following)
        yield examples.fetch(part)


def remembered(examples: Tensor | Examples, name: str, compute: Callable[[], Facts]) -> Facts:
    """What `compute` finds in a pass over all images; kept where they are read from files."""
    return compute() if isinstance(examples, Tensor) else examples.remembered(name, compute)
