"""Says when the masks of successive epochs have settled (early-bird tickets, You et al. 2020)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sanity.masks.channels import Channels
from sanity.masks.pattern_base import Pattern


def flat(mask: Mapping[str, Tensor], pattern: Pattern) -> Tensor:
    """Returns (weights,), or for whole channels (channels,): what `mask` keeps, layer after layer."""
    if isinstance(pattern, Channels):
        layers = [mask[names[0]].flatten(1).any(1) for names in pattern.spaces]
    else:
        layers = [layer.flatten() for layer in mask.values()]
    return torch.cat(layers).cpu()


def distance(mask: Tensor, other: Tensor) -> float:
    """Returns the share of places in which two flat masks differ (Hamming distance over their length)."""
    return int((mask != other).sum()) / len(mask)


def settled(masks: Sequence[Tensor], window: int, most: float) -> bool:
    """Returns whether the newest of flat masks differs from each of the `window` - 1 before by `most` at most."""
    *before, newest = masks[-window:]
    return len(before) == window - 1 and all(distance(newest, mask) <= most for mask in before)


def distances(masks: Sequence[Tensor]) -> list[list[float]]:
    """Returns the distance of every two masks: a row and a column for each."""
    return [[distance(mask, other) for other in masks] for mask in masks]
