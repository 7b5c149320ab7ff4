"""Permutes the magnitudes of the kept weights: does it matter which magnitude sits on which kept connection?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from checks.base import Check, Prediction, ignores
from sanity.masks.ticket import Ticket

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class SignedShuffle(Check):
    """Permutes the magnitudes of the kept weights within every layer; the signs stay where they are.

    Null hypothesis: given mask, signs and the multiset of magnitudes, it does not matter which magnitude sits where.

    Zhou et al. 2019 (their code calls it `signed_reshuffle`). `layerwise_shuffle` moves the signs too. A weight that is
    exactly zero has no sign and takes no part.
    """

    keeps: ClassVar[str] = "the mask, the sign of every weight, and the multiset of kept magnitudes in every layer"
    destroys: ClassVar[str] = "which magnitude sits where"

    def predicts(self, method: "Method") -> Prediction:
        return "null" if ignores(method, "sizes") else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        return ticket.with_weights(self._shuffle, generator)

    def _shuffle(self, weight: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        shuffled = weight.detach().flatten().clone()
        places = mask.flatten().to(weight.device) & (shuffled != 0)
        values = shuffled[places]
        order = torch.randperm(len(values), generator=generator).to(values.device)
        shuffled[places] = values[order].abs() * values.sign()
        return shuffled.view_as(weight)
