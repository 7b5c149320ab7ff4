"""Draws the mask at another epoch of dense training: does it matter when?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from checks.base import Check
from sanity.config.moment import WeightsMoment
from sanity.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class AtEpoch(Check):
    """Scores the network of another moment of dense training than the method would.

    Null hypothesis: it does not matter when the mask is drawn. For early-bird tickets (You et al. 2020) it asks whether
    the epoch in which the mask has settled is worth more than an earlier one. A method that retrains the weights that
    it scored retrains those of that moment; a method that scores the initialisation starts from dense training. Several
    moments (`epoch=1,2,5,10`) are doses: one run gives the curve of accuracy over them.

    epoch: the moment: an epoch, an iteration (1000it), a share of the schedule (5%), or the epoch of the best test
        accuracy (best, best30).
    """

    keeps: ClassVar[str] = "the method, its data and its number of weights"
    destroys: ClassVar[str] = "the moment of dense training whose weights are scored"
    draws: ClassVar[bool] = False
    dose: ClassVar[str] = "epoch"
    dose_scale: ClassVar[Literal["linear", "log10"]] = "log10"
    dose_is_moment: ClassVar[bool] = True

    epoch: WeightsMoment = 1

    def check_feasible(self, method: "Method", network: "nn.Module") -> None:
        if method.reads_files:
            raise UserError("at_epoch: the mask comes from a file, so that no other moment could be scored")

    def alter(self, method: Any) -> Any:
        return replace(method, scored_at=self.epoch)
