"""A pruning method of one's own: one class that gives every weight a score; the highest are kept.

python -m sanity.run methods=own_method:Scaled,magnitude checks=layerwise_rearrange,invert
pytest --pyargs sanity.invariants --sanity-method own_method:Scaled
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.base import Batches, Method


@dataclass(frozen=True, kw_only=True)
class Scaled(Method):
    """|w| times the square root of its layer's fan-in.

    power: the exponent of the fan-in.
    """

    power: float = 0.5

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        """The score of every prunable weight: one tensor for each, of its shape; higher is kept."""
        weights = self.targets(net)
        return {name: weight.detach().abs() * weight[0].numel() ** self.power for name, weight in weights.items()}
