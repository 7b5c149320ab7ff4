"""Permutes the kept weights within each layer: does it matter which value sits on which kept connection?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from checks.base import Check, Prediction, ignores
from methods.aspects import WEIGHTS
from sanity.masks.ticket import Ticket
from sanity.seeds import derive

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class LayerwiseShuffle(Check):
    """Permutes the kept weights among the kept positions of every layer.

    Su et al. 2020, whose code permutes kept weights only. Atanov et al. 2021 permute the whole layer, which
    hands kept positions any weight, mostly a small one.

    scope: `kept` weights among kept positions, or the whole `layer` before the mask is applied, which keeps the mask
        and the multiset of all the layer's weights.
    """

    keeps: ClassVar[str] = "the mask, and the multiset of kept weights in every layer"
    destroys: ClassVar[str] = "which kept weight sits where"

    scope: Literal["kept", "layer"] = "kept"

    def predicts(self, method: "Method") -> Prediction:
        return "null" if ignores(method, *WEIGHTS) else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        shuffled = {
            name: self._shuffle(ticket.weights[name], layer, derive(generator, name))
            for name, layer in ticket.mask.items()
        }
        return replace(ticket, weights={**ticket.weights, **shuffled})

    def _shuffle(self, weight: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        places = mask.flatten() if self.scope == "kept" else torch.ones_like(mask).flatten()
        shuffled = weight.detach().flatten().clone()
        values = shuffled[places]
        shuffled[places] = values[torch.randperm(len(values), generator=generator).to(values.device)]
        return shuffled.view_as(weight)
