"""A third party's method as its author would write it: one file, one class, nothing registered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.base import Batches
from methods.gradients import GradientMethod, gradient


@dataclass(frozen=True, kw_only=True)
class Taylor(GradientMethod):
    """|w g|^p plus a share of |w|: sensitivity of the loss, with weight size as a tie-breaker.

    power: the p.
    size_share: how much of |w| is added.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"squared": {"power": 2.0}}

    power: Annotated[float, Field(gt=0)] = 1.0
    size_share: Annotated[float, Field(ge=0)] = 1e-3

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        weights = self.targets(net)
        slope = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for batch in batches:
            for examples, targets, share in self.parts(net, batch):
                part = gradient(share * F.cross_entropy(net(examples), targets), weights)
                for name in weights:
                    slope[name] += part[name]
        return {
            name: (weight.detach() * slope[name]).abs() ** self.power + self.size_share * weight.detach().abs()
            for name, weight in weights.items()
        }
