"""Searches on another initialisation: are mask and initial weights made for each other?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from checks.base import Check, Prediction, ignores, need_mask
from methods.aspects import WEIGHTS
from sanity.errors import UserError

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class OtherInit(Check):
    """Searches the mask on another draw of the initialisation; the weights that are retrained are the usual ones.

    Null hypothesis: mask and initial weights are not coupled.

    Frankle et al. 2020 ask it of networks that share their first steps of training. Scoring examples, the order of the
    data and all other draws stay. A method that starts from dense training trains the other initialisation, too, and
    the ticket takes its weights from the usual one at the same moment. `reinit` keeps the mask and redraws the weights;
    this keeps the weights, hence is paired with the control's training.
    """

    keeps: ClassVar[str] = "the method, its data, and the weights that are retrained"
    destroys: ClassVar[str] = "the coupling of mask and initial weights"

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        need_mask("other_init", method)
        if method.reads_files:
            raise UserError("other_init: the mask comes from a file; no search could start from another initialisation")

    def predicts(self, method: "Method") -> Prediction:
        return "identical" if ignores(method, *WEIGHTS, "biases") else "open"

    def initialise(
        self,
        weights: Mapping[str, Tensor],
        fresh: Callable[[torch.Generator], Mapping[str, Tensor]],
        generator: torch.Generator,
    ) -> Mapping[str, Tensor]:
        return fresh(generator)
