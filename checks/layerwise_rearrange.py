"""Permutes the mask within each layer: does it matter which weights of a layer are kept?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from checks.base import Check, Prediction, keeps_random_positions, need_mask
from sanity.masks import patterns
from sanity.masks.ticket import Ticket

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class LayerwiseRearrange(Check):
    """Permutes the mask within every layer.

    Su et al. 2020; what Frankle et al. 2021 call shuffling. A mask with a pattern keeps the pattern: under 2:4 the kept
    weights of every four move within these four, and whole channels change places within their layer, alike in layers
    that a residual connection couples.
    """

    keeps: ClassVar[str] = "the number of weights kept in every layer, and the weights' values"
    destroys: ClassVar[str] = "which weights of a layer are kept"

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        need_mask("layerwise_rearrange", method)

    def predicts(self, method: "Method") -> Prediction:
        if "layerwise_rearrange" in method.healed_by:
            return "better"
        return "null" if keeps_random_positions(method) else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        pattern = patterns.get(ticket.pattern, ticket.network)
        return replace(ticket, mask=pattern.rearranged(ticket.mask, generator))
