"""Takes another method's layer counts: is a ticket more than how many weights its layers keep?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from checks.base import Check, need_mask, need_single_weights
from sanity.errors import UserError
from sanity.masks import scattered
from sanity.masks.allocation import fitted
from sanity.masks.ticket import Ticket
from sanity.seeds import derive

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class DensityOf(Check):
    """Keeps as many weights in each layer as another method does, at random positions.

    Null hypothesis: the ticket is worth no more than random positions at the layer counts of the other method (Liu et
    al. 2022 prune at random at SNIP's counts). At the method's own counts it is `layerwise_rearrange`; the ticket
    itself, these two and `positions_of` are the four corners of layer counts by positions.

    The other method searches in the same network, on the clean data. The ticket keeps its own number of weights: where
    the other's is a few more or fewer, as a smart ratio's may be, its counts are scaled.

    method: the other method with its default options, or those of a paper (`snip@lee2019`). Random pruning gives all
        layers about the same density.
    """

    keeps: ClassVar[str] = "the number of weights kept in all, and the weights' values"
    destroys: ClassVar[str] = "how many weights each layer keeps, and which"

    method: str = "random"

    def refers_to(self) -> str:
        return self.method

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        need_mask("density_of", method)
        if not self.method:
            raise UserError("density_of.method=: name the other method, as in snip or snip@lee2019")
        need_single_weights("density_of", method.pattern)

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        if ticket.reference is None:
            raise UserError(f"density_of needs the mask of {self.method} (Ticket.reference)")
        need_single_weights("density_of", ticket.pattern)
        sizes = {name: layer.numel() for name, layer in ticket.mask.items()}
        densities = {
            name: float(ticket.reference[name].double().mean()) if name in ticket.reference else 1.0 for name in sizes
        }
        counts = fitted(densities, sizes, sum(int(layer.sum()) for layer in ticket.mask.values()))
        moved = {name: scattered(layer, counts[name], derive(generator, name)) for name, layer in ticket.mask.items()}
        return replace(ticket, mask=moved)
