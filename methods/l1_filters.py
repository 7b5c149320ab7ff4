"""L1 filter pruning scores a filter by the sum of its absolute weights."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method
from sanity.masks.layerwise import AllocationName


@dataclass(frozen=True, kw_only=True)
class L1Filters(Method):
    """Sum of |w| over a filter: whole channels go, the same share in every layer.

    Formula: score of an output channel = sum over its filter of |w| (Li et al. 2017, section 3.1). The ratio is the
    share of channels, and by default only channels inside residual blocks go, as there; pattern=channel couples those
    that residual connections add. Their code sets a number of channels for each layer by hand. No data is used.
    """

    allocation: AllocationName = "uniform"
    pattern: Literal["channel", "inner_channel"] = "inner_channel"

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"sizes", "places"})

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: weight.detach().abs() for name, weight in self.targets(net).items()}
