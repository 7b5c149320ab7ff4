"""Takes the signs of the trained network: are the signs what dense training finds out?"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from checks.base import Check
from sanity.errors import UserError
from sanity.masks.ticket import Ticket


@dataclass(frozen=True, kw_only=True)
class SignOfEnd(Check):
    """Gives every weight the sign that it has at the end of dense training; mask and magnitudes stay.

    Null hypothesis: given mask and magnitudes, the signs that training ends with are worth no more than the initial
    ones.

    Zhou et al. 2019 find that weights which keep their sign matter; Oh et al. 2025 hand mask and signs of a trained
    network to another initialisation. The dense network is the seed's usual one, trained on the clean data to the end
    of the recipe; it is trained for this check where nothing else needs it. A weight that ends at exactly zero keeps
    its sign. A ticket that starts from the end of this training has these signs already.
    """

    keeps: ClassVar[str] = "the mask, and the magnitude of every weight"
    destroys: ClassVar[str] = "the initial signs, which become those of the trained network"
    draws: ClassVar[bool] = False
    needs_end: ClassVar[bool] = True

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        if ticket.end is None:
            raise UserError("sign_of_end needs a ticket that knows the end of dense training (Ticket.end)")
        signed = {}
        for name in ticket.mask:
            weight, end = ticket.weights[name], ticket.end[name].to(ticket.weights[name])
            signed[name] = torch.where(end == 0, weight, weight.abs() * end.sign())
        return replace(ticket, weights={**ticket.weights, **signed})
