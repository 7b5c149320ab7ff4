"""Permutes the pixels: does the ticket depend on how an image is arranged?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import ClassVar, Literal

import torch
from torch import Tensor

from checks.base import Check
from sanity.data.dataset import Dataset
from sanity.data.examples import Examples, View

_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True)
class RandomPixels(Check):
    """Permutes the values of every image while the ticket is searched.

    Su et al. 2020; their code permutes all H * W * C values of an image, so that colours mix, with a
    permutation of its own for every image (the "random pixels" of Zhang et al. 2017). Atanov et al. 2021 draw the
    corrupted examples that GraSP scores once, so that both of its draws see the same list; here each draw is its own.

    channels: `mixed` permutes all values; `together` moves pixels with their colours.
    permutation: one `per_image`, or the same one for all (`shared`, the "shuffled pixels" of Zhang et al. 2017).
    """

    keeps: ClassVar[str] = "the labels, and the multiset of values of every image"
    destroys: ClassVar[str] = "the arrangement of the image"

    channels: Literal["mixed", "together"] = "mixed"
    permutation: Literal["per_image", "shared"] = "per_image"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        mixed, shared = self.channels == "mixed", self.permutation == "shared"
        if dataset.in_memory:
            return replace(dataset, examples=permuted(dataset.pixels, mixed, shared, generator))
        return replace(dataset, examples=PermutedPixels(dataset.examples, mixed, shared, generator))


def permuted(images: Tensor, mixed: bool, shared: bool, generator: torch.Generator) -> Tensor:
    """Returns `images` with the values of each permuted.

    mixed: all values of an image are permuted; otherwise pixels move with their colours.
    shared: one permutation serves all images; otherwise each image has its own.
    """
    # Always drawn, so that both kinds of permutation advance the generator alike.
    order = torch.randperm(_places(images.shape, mixed), generator=generator)
    parts = [
        _reordered(part, order if shared else _orders(len(part), len(order), generator), mixed)
        for part in images.split(_AT_ONCE)
    ]
    return torch.cat(parts)


def _places(shape: Sequence[int], mixed: bool) -> int:
    _, channels, height, width = shape
    return height * width * (channels if mixed else 1)


def _orders(count: int, places: int, generator: torch.Generator) -> Tensor:
    """Returns the permutations of the next `count` images: (count, 1, places)."""
    return torch.rand(count, 1, places, generator=generator).argsort(dim=2)


def _reordered(images: Tensor, order: Tensor, mixed: bool) -> Tensor:
    """Returns `images` with their places in `order`: (places,) for all, or (n, 1, places)."""
    groups = images.flatten(1).unsqueeze(1) if mixed else images.flatten(2)
    order = order.to(images.device)
    values = groups[:, :, order] if order.dim() == 1 else groups.gather(2, order.expand_as(groups))
    return values.reshape(images.shape)


class PermutedPixels(View):
    """Permutes images when they are fetched, as `permuted` does: an image's permutation is drawn again each time."""

    block: ClassVar[int] = 16
    """Images whose permutations are drawn together: the generator's state, 5 kB, is kept once for each block."""

    def __init__(self, base: Tensor | Examples, mixed: bool, shared: bool, generator: torch.Generator) -> None:
        super().__init__(base)
        self._mixed = mixed
        order = torch.randperm(_places(self.shape, mixed), generator=generator)
        self._places, self._shared = len(order), order if shared else None
        self._states, self._lock = [generator.get_state()], Lock()

    def fetch(self, indices: Tensor) -> Tensor:
        """Returns the permuted images at `indices`."""
        order = self._own_orders(indices.cpu()) if self._shared is None else self._shared
        return _reordered(super().fetch(indices), order, self._mixed)

    def _own_orders(self, indices: Tensor) -> Tensor:
        """Returns the permutations of the images at `indices`: (n, 1, places)."""
        blocks, rows = indices // self.block, indices % self.block
        orders = torch.empty(len(indices), 1, self._places, dtype=torch.int64)
        for block in blocks.unique().tolist():
            here = blocks == block
            numbers = torch.rand(self.block, 1, self._places, generator=self._generator(block))
            orders[here] = numbers[rows[here]].argsort(dim=2)  # sorting is slow: sort only the images at `indices`
        return orders

    def _generator(self, block: int) -> torch.Generator:
        """Returns a generator that draws the permutations of `block` next; keeps the states of the blocks before."""
        generator = torch.Generator()
        with self._lock:
            generator.set_state(self._states[-1])
            while len(self._states) <= block:
                torch.rand(self.block, 1, self._places, generator=generator)
                self._states.append(generator.get_state())
            return generator.set_state(self._states[block])
