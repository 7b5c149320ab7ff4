"""Permutes the kept weights within each layer: does it matter which value sits on which kept connection?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from checks.base import Check, Prediction, ignores
from methods.aspects import WEIGHTS
from sanity.masks.ticket import Ticket

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
        return ticket.with_weights(self._shuffle, generator)

    def _shuffle(self, weight: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        places = mask.flatten() if self.scope == "kept" else torch.ones_like(mask).flatten()
        shuffled = weight.detach().flatten().clone()
        values = shuffled[places]
        shuffled[places] = values[torch.randperm(len(values), generator=generator).to(values.device)]
        return shuffled.view_as(weight)
