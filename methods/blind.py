"""Blind cuts a third of the classes off: a control whose answer is known, not a way to prune."""

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method
from sanity.errors import UserError
from sanity.masks import Mask
from sanity.masks.allocation import budget, fitted
from sanity.seeds import derive
from sanity.seeds import generator as seeded

FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class Blind(Method):
    """Random positions, but no weight leads to a third of the classes: a ticket of which it is known what is wrong.

    A class without weights has a constant logit, so that of all classes that are cut off at most one can ever be
    named: with 10 classes of equal size, of which 4 are cut off, accuracy is at most 70 %. `layerwise_rearrange` hands
    weights back to them, so that accuracy must rise; a suite that does not see this sees nothing. Layers keep what ERK
    gives them (Evci et al. 2020), the last one at most its rows of the other classes. The last layer is taken for the
    classifier. Neither data nor weights are used. A ratio that removes fewer weights than lead to these classes (0.1 %
    of ResNet-20) leaves them the rest.
    """

    healed_by: ClassVar[frozenset[str]] = frozenset({"layerwise_rearrange"})

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"places"})

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        super().check_feasible(net, ratio)
        self._counts(self.targets(net), ratio)

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        source = generator if generator is not None else seeded(0, "score")
        weights = self.targets(model)
        last = list(weights)[-1]
        mask = {}
        for name, count in self._counts(weights, ratio).items():
            order = torch.rand(weights[name].shape, generator=derive(source, name), dtype=torch.float64)
            if name == last:
                order[self._seen(weights[name]) :] -= 1  # below all others
            layer = torch.zeros(order.numel(), dtype=torch.bool)
            layer[order.flatten().topk(count).indices] = True
            mask[name] = layer.view(order.shape).to(weights[name].device)
        return mask

    def _counts(self, weights: dict[str, nn.Parameter], ratio: float) -> dict[str, int]:
        """Returns how many weights each layer keeps."""
        last = list(weights)[-1]
        sizes = {name: weight.numel() for name, weight in weights.items()}
        kept = budget(sum(sizes.values()), ratio)
        sizes[last] = self._seen(weights[last]) * weights[last][0].numel()
        surplus = max(0, kept - sum(sizes.values()))
        densities = {name: sum(weight.shape) / weight.numel() for name, weight in weights.items()}
        counts = fitted(densities, sizes, kept - surplus)
        return {**counts, last: counts[last] + surplus}

    def _seen(self, last: Tensor) -> int:
        """Returns how many classes keep weights."""
        if len(last) < FEWEST:
            raise UserError(
                f"blind cuts off a third of the classes, which needs {FEWEST} at least; here are {len(last)}"
            )
        return len(last) - max(2, ceil(len(last) / 3))
