"""Redraws the initial weights: does the ticket depend on the values of its initial weights?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch

from checks.base import Check, Prediction, ignores
from methods.aspects import WEIGHTS
from sanity.errors import UserError
from sanity.masks.ticket import Ticket

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class Reinit(Check):
    """Redraws the whole network from the distribution of its initialisation, under the same mask.

    Frankle and Carbin 2019; Frankle et al. 2021. Biases, batch norm and its buffers are fresh
    too, as in OpenLTH. A ticket that had trained weights starts from an initialisation, at its point of the schedule.
    """

    keeps: ClassVar[str] = "the mask, and the distribution of the initial weights"
    destroys: ClassVar[str] = "the values of the weights"

    def predicts(self, method: "Method") -> Prediction:
        return "null" if ignores(method, *WEIGHTS) or method.rewind == "redraw" else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        if ticket.fresh is None:
            raise UserError("reinit needs a ticket that knows its initialisation (Ticket.fresh)")
        return replace(ticket, weights=ticket.fresh(generator))
