"""Permutes kernels: does it matter which channels are connected by which kernel?"""

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from checks.base import Check, Prediction, keeps_random_positions, need_mask
from sanity.errors import UserError
from sanity.masks import patterns
from sanity.masks.allocation import Shapes
from sanity.masks.pattern_base import Pattern, Shape
from sanity.masks.ticket import Ticket
from sanity.seeds import derive

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class RearrangeKernels(Check):
    """Permutes the mask of every convolution kernel by kernel: a kernel's kept positions stay together.

    Null hypothesis: it does not matter which channels a kernel connects; what is left of a mask are the patterns of its
    kernels. Patil and Dovrolis 2021 prune by such counts. A kernel of one weight (linear layers, 1x1 convolutions) is a
    weight by itself, so that those layers are rearranged weight by weight: beside `layerwise_rearrange` the check then
    shows what kernels are worth, and nothing else. Refused where no layer has larger kernels, as it would be that check
    by another name, and under N:M where M consecutive weights reach over several kernels.
    """

    keeps: ClassVar[str] = "the number of weights kept in every layer, the patterns of its kernels, and all values"
    destroys: ClassVar[str] = "which channels are connected by which kernel"

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        need_mask("rearrange_kernels", method)
        _check(method.kept_together(network), {name: weight.shape for name, weight in method.targets(network).items()})

    def predicts(self, method: "Method") -> Prediction:
        return "null" if keeps_random_positions(method) else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        pattern = patterns.get(ticket.pattern)
        _check(pattern, {name: layer.shape for name, layer in ticket.mask.items()})
        rearranged = {
            name: pattern.permute(layer, source) if _size(layer.shape) == 1 else _permuted(layer, source)
            for name, layer, source in ((name, layer, derive(generator, name)) for name, layer in ticket.mask.items())
        }
        return replace(ticket, mask=rearranged)


def _size(shape: Shape) -> int:
    """Returns how many weights a kernel has in a layer of `shape`."""
    return prod(shape[2:])


def _permuted(mask: Tensor, generator: torch.Generator) -> Tensor:
    kernels = mask.reshape(-1, _size(mask.shape))
    return kernels[torch.randperm(len(kernels), generator=generator).to(mask.device)].view_as(mask)


def _check(pattern: Pattern, shapes: Shapes) -> None:
    if all(_size(shape) == 1 for shape in shapes.values()):
        raise UserError("rearrange_kernels: no layer has kernels of more than one weight; use layerwise_rearrange")
    for name, shape in shapes.items():
        width = pattern.exchange_width(shape)
        if _size(shape) > 1 and width < prod(shape[1:]) and _size(shape) % width:
            raise UserError(f"rearrange_kernels: {width} consecutive weights of '{name}' reach over several kernels")
