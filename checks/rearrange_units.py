"""Permutes units: does it matter which unit has which incoming connections?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn

from checks.base import Check, Prediction, free_one_by_one, keeps_random_positions, need_mask
from sanity.masks import patterns
from sanity.masks.ticket import Ticket
from sanity.seeds import derive

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class RearrangeUnits(Check):
    """Gives every output unit's incoming mask to another unit of its layer.

    Null hypothesis: it does not matter which unit has which incoming connections; what is left of a mask are the
    patterns of its rows. A unit is a row of the weight: a neuron or an output channel, of a transposed convolution an
    input channel. A grouped convolution's rows stay in their group; a bias that is pruned goes with its unit's row.
    Between `layerwise_rearrange` and `rewire`, as the per-unit and per-kernel counts of Patil and Dovrolis 2021 are.

    scope: whole `rows` move to other units, so that every input keeps its number of weights too; or the kept weights of
        every row move `inside` it, so that only the units' numbers of incoming weights stay.
    """

    keeps: ClassVar[str] = "how many units of a layer have how many incoming weights, and the weights' values"
    destroys: ClassVar[str] = "which unit has which incoming connections"

    scope: Literal["rows", "inside"] = "rows"

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        need_mask("rearrange_units", method)
        free_one_by_one(method, network, "rearrange_units")

    def predicts(self, method: "Method") -> Prediction:
        return "null" if keeps_random_positions(method) else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        rearranged = {}
        for name, layer in ticket.mask.items():
            owner = derive(generator, name.rpartition(".")[0])  # the same for a layer's weight and its bias
            if self.scope == "rows":
                rearranged[name] = _moved(layer, ticket.groups.get(name, 1), owner)
            else:
                width = patterns.get(ticket.pattern).exchange_width(layer.shape)
                rearranged[name] = _within_rows(layer, width, owner)
        return replace(ticket, mask=rearranged)


def _moved(mask: Tensor, groups: int, generator: torch.Generator) -> Tensor:
    size = len(mask) // groups
    order = torch.cat([group * size + torch.randperm(size, generator=generator) for group in range(groups)])
    return mask[order.to(mask.device)]


def _within_rows(mask: Tensor, width: int, generator: torch.Generator) -> Tensor:
    """Permutes `mask` within every `width` consecutive inputs of a row."""
    table = mask.reshape(-1, width)
    order = torch.rand(table.shape, dtype=torch.float64, generator=generator).argsort(dim=1)
    return table.gather(1, order.to(mask.device)).view_as(mask)
