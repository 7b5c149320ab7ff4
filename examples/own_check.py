"""A check of one's own: it destroys one thing about the ticket and leaves the rest as it was.

python -m sanity.run methods=snip ratio=0.9 checks=own_check:RandomSigns
pytest --pyargs sanity.invariants --sanity-check own_check:RandomSigns
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from checks.base import Check
from sanity.masks.ticket import Ticket
from sanity.seeds import derive


@dataclass(frozen=True, kw_only=True)
class RandomSigns(Check):
    """The sign of every weight drawn anew, its size kept.

    Zhou et al. 2019 ask whether the signs are what a lottery ticket's initialisation is good for.
    """

    keeps: ClassVar[str] = "the mask, and the size of every weight"
    destroys: ClassVar[str] = "the signs of the weights"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        """The ticket with random signs on all prunable weights; a ticket is never changed in place."""
        weights = dict(ticket.weights)
        for name in ticket.mask:
            size = weights[name].abs()
            # one generator for each layer, so that a layer's signs do not depend on the layers before it
            minus = torch.rand(size.shape, generator=derive(generator, name)).to(size.device) < 0.5
            weights[name] = torch.where(minus, -size, size)
        return replace(ticket, weights=weights)
