"""LAMP ranks the weights of all layers by their magnitude relative to the larger ones of their own layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method


@dataclass(frozen=True, kw_only=True)
class LAMP(Method):
    """w^2 / sum of v^2 over the weights v of the layer that are no smaller: layer-adaptive magnitude pruning.

    Formula: with the weights of a layer in ascending order of size, score_i = w_i^2 / sum_(j >= i) w_j^2 (Lee et al.
    2021, eq. 2), ranked over all layers. The largest weight of every layer scores one, so that no layer is emptied
    before all others are down to one weight. Within a layer the order is that of |w|. No data is used.

    It was made for trained networks: `scored_at=end rewind=fine_tune removed_per_round=0.2` is the paper's procedure.
    """

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"sizes"})

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: _relative(weight.detach()) for name, weight in self.targets(net).items()}


def _relative(weight: Tensor) -> Tensor:
    """Returns w^2 over the sum of the squares that are no smaller, in float64; zero for weights of zero."""
    squares = weight.double().square().flatten()
    ascending, order = squares.sort(stable=True)
    no_smaller = ascending.flip(0).cumsum(0).flip(0)
    scores = torch.empty_like(squares)
    scores[order] = ascending / no_smaller.clamp_min(torch.finfo(torch.float64).tiny)
    return scores.view_as(weight)
