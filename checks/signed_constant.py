"""Gives all weights of a layer one magnitude: do their signs alone make the ticket?"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from checks.base import Check
from sanity.masks.ticket import Ticket


@dataclass(frozen=True, kw_only=True)
class SignedConstant(Check):
    """Sets every kept weight to its sign times the standard deviation of its layer.

    Null hypothesis: given mask and signs, it does not matter that magnitudes differ.

    Zhou et al. 2019: the deviation of the weights that the ticket starts from, over the whole layer, pruned weights
    included. A weight that is exactly zero has no sign and stays zero.
    """

    keeps: ClassVar[str] = "the mask, the sign of every weight, and the scale of every layer"
    destroys: ClassVar[str] = "all differences in magnitude within a layer"
    draws: ClassVar[bool] = False

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        constant = {name: self._constant(ticket.weights[name], layer) for name, layer in ticket.mask.items()}
        return replace(ticket, weights={**ticket.weights, **constant})

    def _constant(self, weight: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask.to(weight.device), weight.sign() * weight.std(correction=0), weight)
