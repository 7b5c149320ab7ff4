"""Random pixels: does the ticket depend on how an image is arranged?"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from checks.base import Check
from sanity.data.dataset import Dataset

_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True)
class RandomPixels(Check):
    """The values of every image permuted while the ticket is searched.

    Su et al. 2020; their code permutes all H * W * C values of an image, so that colours mix, with a
    permutation of its own for every image (the "random pixels" of Zhang et al. 2017).

    channels: `mixed` permutes all values; `together` moves pixels with their colours.
    permutation: one `per_image`, or the same one for all (`shared`, the "shuffled pixels" of Zhang et al. 2017).
    """

    keeps: ClassVar[str] = "the labels, and the multiset of values of every image"
    destroys: ClassVar[str] = "the arrangement of the image"

    channels: Literal["mixed", "together"] = "mixed"
    permutation: Literal["per_image", "shared"] = "per_image"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        images = dataset.examples
        groups = images.flatten(1).unsqueeze(1) if self.channels == "mixed" else images.flatten(2)
        shared = torch.randperm(groups.shape[2], generator=generator).to(images.device)
        parts = [
            part[:, :, shared] if self.permutation == "shared" else _permute_each(part, generator)
            for part in groups.split(_AT_ONCE)
        ]
        return replace(dataset, examples=torch.cat(parts).reshape(images.shape))


def _permute_each(groups: Tensor, generator: torch.Generator) -> Tensor:
    """(n, channels, places) -> the same with the places of every image in an order of its own."""
    order = torch.rand(len(groups), 1, groups.shape[2], generator=generator).argsort(dim=2)
    return groups.gather(2, order.to(groups.device).expand_as(groups))
