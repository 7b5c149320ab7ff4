"""Flips signs of kept weights: does the ticket depend on the signs that it starts from?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from checks.base import Check, Prediction, ignores
from sanity.masks.ticket import Ticket

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class SignFlip(Check):
    """Flips the signs of a share of the kept weights of every layer, drawn at random.

    Null hypothesis: given mask and magnitudes, the signs of the initial weights do not matter.

    The converse of Zhou et al. 2019, who keep the signs and destroy the magnitudes. Exactly round(p * n) of a layer's n
    kept weights flip. Of one seed, the weights that a smaller share flips are among those that a larger one flips.

    p: the share. At 0.5 the new signs tell nothing of the old ones; at 1 all are turned round.
    """

    keeps: ClassVar[str] = "the mask, and the magnitude of every weight"
    destroys: ClassVar[str] = "the signs of a share p of the kept weights"
    dose: ClassVar[str] = "p"

    p: Annotated[float, Field(gt=0, le=1)] = 0.5

    def predicts(self, method: "Method") -> Prediction:
        return "null" if ignores(method, "signs") else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        return ticket.with_weights(self._flip, generator)

    def _flip(self, weight: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        places = mask.flatten().nonzero().flatten().to(weight.device)
        chosen = torch.randperm(len(places), generator=generator)[: round(self.p * len(places))].to(weight.device)
        flipped = weight.detach().flatten().clone()
        flipped[places[chosen]] *= -1
        return flipped.view_as(weight)
