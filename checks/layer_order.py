"""Permutes the densities of the layers: does it matter which layer is how dense?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

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
class LayerOrder(Check):
    """Hands the layers' densities to other layers, at random positions.

    Null hypothesis: it does not matter which layer is how dense. The converse of `layerwise_rearrange`, with which it
    is to be compared, since both draw positions anew (after the ascending and balanced ratios of Su et al. 2020, and
    Gadhikar et al. 2023).

    The ticket keeps its number of weights: layers differ in size, so all densities are multiplied by one factor. A
    layer whose density would exceed 1 is kept whole and its surplus goes to the others in proportion. A small layer may
    come out empty. Biases that are pruned stay as they are.

    order: the densities are `permuted` among the layers, never as they were; or `reversed`.
    """

    keeps: ClassVar[str] = "the number of weights kept in all, the densities that layers have, and the weights' values"
    destroys: ClassVar[str] = "which layer has which density, and which weights of a layer are kept"

    order: Literal["permuted", "reversed"] = "permuted"

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        need_mask("layer_order", method)
        _check(method.pattern, sum(weight.dim() > 1 for weight in method.targets(network).values()))

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        names = [name for name, layer in ticket.mask.items() if layer.dim() > 1]
        _check(ticket.pattern, len(names))
        sizes = {name: ticket.mask[name].numel() for name in names}
        kept = {name: int(ticket.mask[name].sum()) for name in names}
        sources = [names[place] for place in self._order(len(names), derive(generator, "order"))]
        densities = {name: kept[source] / sizes[source] for name, source in zip(names, sources, strict=True)}
        counts = fitted(densities, sizes, sum(kept.values()))
        moved = {name: scattered(ticket.mask[name], counts[name], derive(generator, name)) for name in names}
        return replace(ticket, mask={**ticket.mask, **moved})

    def _order(self, count: int, generator: torch.Generator) -> list[int]:
        unchanged = list(range(count))
        if self.order == "reversed":
            return unchanged[::-1]
        order = unchanged
        while order == unchanged:
            order = torch.randperm(count, generator=generator).tolist()
        return order


def _check(pattern: str, layers: int) -> None:
    need_single_weights("layer_order", pattern)
    if layers < 2:
        raise UserError("layer_order: there is a single layer, whose density has nowhere to go")
