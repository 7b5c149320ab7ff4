"""Random pruning scores every weight by uniform noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method
from sanity.masks.channels import Channels


@dataclass(frozen=True, kw_only=True)
class Random(Method):
    """Uniform noise, one threshold for the whole network: every layer keeps about the same density.

    Formula: score ~ U(0, 1), drawn from the generator (Frankle et al. 2021; the code of Tanaka et al. 2020
    draws normal noise, which ranks alike). Neither data nor weights are used. Under a pattern of channels every channel
    has one draw, so that large filters are kept no more often than small ones.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "frankle2021": {"counts": "one_more_removed"},
        "tanaka2020": {"counts": "removed_floored"},
    }

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset()

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        pattern = self.kept_together(net)
        if isinstance(pattern, Channels):
            targets = self.targets(net)
            firsts = {names[0]: len(targets[names[0]]) for names in pattern.spaces if names[0] in targets}
            draws = {
                name: torch.rand(count, dtype=torch.float64, generator=generator) for name, count in firsts.items()
            }
            return pattern.spread(draws, targets)
        # In float64, because twenty million draws in float32 would hold many ties.
        return {
            name: torch.rand(weight.shape, dtype=torch.float64, generator=generator).to(weight.device)
            for name, weight in self.targets(net).items()
        }
