"""Redraws the magnitudes of the weights: do their signs alone make the ticket?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch

from checks.base import Check, Prediction, ignores
from sanity.errors import UserError
from sanity.masks.ticket import Ticket

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class SignedReinit(Check):
    """Draws new magnitudes from the distribution of the initialisation, under the same mask and signs.

    Null hypothesis: given mask and signs, the magnitudes of the initial weights do not matter.

    Zhou et al. 2019, whose code permutes the layer's own magnitudes, pruned ones included, where this draws new ones.
    Biases and normalisation layers stay as they are. A weight that is exactly zero has no sign and stays zero.
    """

    keeps: ClassVar[str] = "the mask, the sign of every weight, and the distribution of the initial magnitudes"
    destroys: ClassVar[str] = "the magnitudes of the weights"

    def predicts(self, method: "Method") -> Prediction:
        return "null" if ignores(method, "sizes") else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        if ticket.fresh is None:
            raise UserError("signed_reinit needs a ticket that knows its initialisation (Ticket.fresh)")
        fresh = ticket.fresh(generator)
        signed = {
            name: fresh[name].to(ticket.weights[name]).abs() * ticket.weights[name].sign() for name in ticket.mask
        }
        return replace(ticket, weights={**ticket.weights, **signed})
