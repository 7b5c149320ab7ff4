"""PHEW keeps the weights that random walks from inputs to outputs, and back, have crossed."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method
from methods.counts_from import refuse_allocation
from methods.walks import Stretch, crossed, stretches
from sanity.errors import UserError
from sanity.masks import Mask
from sanity.masks.allocation import kept_after
from sanity.seeds import derive
from sanity.seeds import generator as seeded

log = logging.getLogger("sanity")
_FIRST, _AT_ONCE = 64, 4096


@dataclass(frozen=True, kw_only=True)
class PHEW(Method):
    """Random walks along paths of large |w|: paths with higher edge weights (Patil and Dovrolis 2021).

    Walks start in turn at an input unit, forwards, and at an output unit, backwards, and these units follow each other
    in turn. With n(o, i) the sum of |w| over the kernel between the units i and o, a walk goes from i to o with
    probability n(o, i) / sum over o, back from o to i with n(o, i) / sum over i, and crosses the weight w of the kernel
    with probability |w| / n(o, i). From a convolution into a linear layer it takes one of the unit's inputs, all alike.
    All weights that any walk has crossed are kept. No data is used; signs do not matter.

    A projection shortcut is taken by half of the walks, as in the published code; identity shortcuts by none. That code
    ends with the walk that meets the budget, up to a walk beyond it; here the last walk ends at the budget. Which units
    a layer joins is found by tracing the network; one that is not understood is refused. At low sparsity the last
    weights are hardly ever met: what `most_walks` walks have not met is filled up with the largest weights, which the
    log says.

    most_walks: walks at most.
    """

    most_walks: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1_000_000

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"sizes", "places"})

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        refuse_allocation(self)
        super().check_feasible(net, ratio)
        try:
            stretches(net, self.targets(net))
        except UserError as error:
            raise UserError(f"phew: {error}") from None

    @torch.no_grad()
    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        source = generator if generator is not None else seeded(0, "score")
        weights = self.targets(model)
        total = sum(weight.numel() for weight in weights.values())
        budget = kept_after(self.counts, total, ratio, total)
        met = torch.zeros(total, dtype=torch.bool)
        left, walks = budget, _walks(stretches(model, weights), self.most_walks, source)
        while left and (positions := next(walks, None)) is not None:
            fresh = _first_met(positions[~met[positions]])[:left]
            met[fresh] = True
            left -= len(fresh)
        if left:
            log.warning("PHEW: %d of %d kept weights were met by no walk; the largest were taken", left, budget)
            sizes = torch.cat([weight.detach().abs().flatten().cpu() for weight in weights.values()])
            met[sizes.masked_fill(met, -1).topk(left).indices] = True
        parts = met.split([weight.numel() for weight in weights.values()])
        return {
            name: part.view_as(weight).to(weight.device)
            for (name, weight), part in zip(weights.items(), parts, strict=True)
        }


def _first_met(positions: Tensor) -> Tensor:
    """Returns each of `positions` once, in the order in which they first come."""
    values, inverse = positions.unique(return_inverse=True)
    first = torch.full((len(values),), len(positions)).scatter_reduce(
        0, inverse, torch.arange(len(positions)), reduce="amin"
    )
    return values[first.argsort()]


def _walks(path: list[Stretch], most: int, source: torch.Generator) -> Iterator[Tensor]:
    """Yields what many walks cross, as positions among all weights, walk after walk, forwards and back in turn."""
    inputs = len(path[0].main[0].forward)
    outputs = len(path[-1].main[-1].backward)
    start, number = 0, 0
    while start < most:
        end = min(max(2 * start, _FIRST), start + _AT_ONCE, most)
        generator = derive(source, number)
        turn = torch.arange(start, end) // 2
        start, number = end, number + 1
        positions = torch.stack(
            [
                crossed(path, turn[::2] % inputs, True, generator),
                crossed(path, turn[::2] % outputs, False, generator),
            ],
            1,
        ).flatten()
        yield positions[positions >= 0]
