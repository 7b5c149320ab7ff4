"""Scores trained weights by what they are and what they were before training: the mask criteria of Zhou et al. 2019."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

MaskCriterion = Literal[
    "large_final",
    "small_final",
    "large_init",
    "small_init",
    "large_init_large_final",
    "small_init_small_final",
    "magnitude_increase",
    "movement",
    "large_final_same_sign",
    "large_final_diff_sign",
    "magnitude_increase_same_sign",
    "magnitude_increase_diff_sign",
]


def needs_start(criterion: MaskCriterion) -> bool:
    """Returns whether the criterion looks at the weights before training."""
    return criterion not in ("large_final", "small_final")


def score(criterion: MaskCriterion, start: Tensor, end: Tensor) -> Tensor:
    """Returns the scores of one layer, of the shape of its weights; higher is kept.

    start, end: its weights before and after training; pruned ones are zero in `end`.
    """
    start = torch.where(end == 0, 0.0, start)
    return _SCORES[criterion](start, end)


def _smaller_rank(start: Tensor, end: Tensor) -> Tensor:
    """Returns the smaller of the two ranks that a weight has in its layer, as a share of the layer's size."""
    ranks = [values.flatten().argsort(stable=True).argsort() for values in (start, end)]
    return (torch.minimum(*ranks).view_as(end) / end.numel()).to(end.dtype)


def _where(kept: Tensor, values: Tensor) -> Tensor:
    return torch.where(kept, values, 0.0)


_SCORES: dict[MaskCriterion, Callable[[Tensor, Tensor], Tensor]] = {
    "large_final": lambda start, end: end.abs(),
    "small_final": lambda start, end: -end.abs(),
    "large_init": lambda start, end: start.abs(),
    "small_init": lambda start, end: -start.abs(),
    "large_init_large_final": lambda start, end: _smaller_rank(start.abs(), end.abs()),
    "small_init_small_final": lambda start, end: _smaller_rank(-start.abs(), -end.abs()),
    "magnitude_increase": lambda start, end: end.abs() - start.abs(),
    "movement": lambda start, end: (end - start).abs(),
    "large_final_same_sign": lambda start, end: _where(start.sign() == end.sign(), end.abs()),
    "large_final_diff_sign": lambda start, end: _where(start.sign() != end.sign(), end.abs()),
    "magnitude_increase_same_sign": lambda start, end: _where(start.sign() == end.sign(), end.abs() - start.abs()),
    "magnitude_increase_diff_sign": lambda start, end: _where(start.sign() != end.sign(), end.abs() - start.abs()),
}
