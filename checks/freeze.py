"""Freezes pruned weights instead of removing them: is it zero that they must be?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from checks.base import Check
from sanity.errors import UserError
from sanity.masks.ticket import Ticket

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class Freeze(Check):
    """Leaves pruned weights at the values that the ticket starts from; as before, only kept weights are trained.

    Null hypothesis: it does not matter that pruned weights are zero rather than untrained.

    Zhou et al. 2019 (`freeze_init` in their code). The network computes with w * mask + w0 * (1 - mask), and gradients
    are masked. It is no sparse network: how many of its kept weights lie on a path is not defined. Where the weights
    come from an earlier round of a method that trains between its rounds, pruned ones are zero already.
    """

    keeps: ClassVar[str] = "the mask, the values of the kept weights, and which weights are trained"
    destroys: ClassVar[str] = "the zeros: pruned weights stay where they start"
    freezes: ClassVar[bool] = True
    draws: ClassVar[bool] = False

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        if method.mask_updates(0.5) is not None:
            raise UserError(f"freeze: the training of {method.called} prunes weights; none could stay frozen")

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        return replace(ticket, frozen=True)
