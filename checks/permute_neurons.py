"""Permutes the hidden units: the same function in another order, so that accuracy must stay."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from checks.base import Check, Prediction
from sanity.errors import UserError
from sanity.masks import patterns
from sanity.masks.ticket import Ticket
from sanity.masks.wiring import hidden_units, reordered
from sanity.seeds import derive

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class PermuteNeurons(Check):
    """Permutes the hidden units, mask and weights together: the same function, computed in another order.

    A control of the suite: before training the outputs are equal up to rounding (recorded as `function_gap`), and after
    it whatever moves accuracy is the order in which numbers are added. Units that a residual connection adds are
    permuted alike. A network whose wiring is not understood is refused. The rows of a mask with a pattern (2:4) move
    with their inputs, which breaks up the pattern; whole channels stay whole.
    """

    keeps: ClassVar[str] = "the function that the network computes, and the multiset of every layer's weights"
    destroys: ClassVar[str] = "the order of the hidden units"

    def predicts(self, method: "Method") -> Prediction:
        return "same function"

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        try:
            hidden_units(network)
        except UserError as error:
            raise UserError(f"permute_neurons: {error}") from None

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        if ticket.network is None:
            raise UserError("permute_neurons needs a ticket that knows its network (Ticket.network)")
        weights: dict[str, Tensor] = dict(ticket.weights)
        mask: dict[str, Tensor] = dict(ticket.mask)
        for units in hidden_units(ticket.network):
            order = torch.randperm(units.count, generator=derive(generator, units.axes[0].name))
            for name in {axis.name: None for axis in units.axes}:
                weights[name] = reordered(weights[name].detach(), name, units, order)
                if name in mask:
                    mask[name] = reordered(mask[name], name, units, order)
        pattern = ticket.pattern if patterns.get(ticket.pattern).keeps_units_whole else "unstructured"
        return replace(ticket, weights=weights, mask=mask, pattern=pattern)
