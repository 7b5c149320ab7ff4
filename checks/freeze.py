"""Freezes pruned weights instead of removing them: is it zero that they must be?"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from checks.base import Check
from sanity.tickets import Ticket


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

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        return replace(ticket, frozen=True)
