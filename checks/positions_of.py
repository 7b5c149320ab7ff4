"""Ranks within another method's layer counts: what are a method's positions worth by themselves?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from checks.base import Check, need_mask, need_single_weights
from sanity.errors import UserError
from sanity.masks.allocation import CountsOf

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class PositionsOf(Check):
    """Keeps as many weights in each layer as another method does, those that this method ranks highest.

    Null hypothesis: it does not matter whose layer counts the ranking fills. The converse of `density_of`, for the
    question of Frankle et al. 2021: layer counts or positions? Under a check of the data the other method still sees
    the clean data: SNIP under `random_labels+positions_of` and `positions_of.method=snip` shows what labels are worth
    to its positions alone.

    In several rounds the layers approach their counts together (`sanity.masks.allocation.CountsOf`). A method that
    constructs its mask, as an imported one does, ranks nothing and is refused.

    method: the other method with its default options, or those of a paper (`snip@lee2019`). Random pruning gives all
        layers about the same density.
    """

    keeps: ClassVar[str] = "the number of weights kept in all, and the method's ranking within each layer"
    destroys: ClassVar[str] = "how many weights each layer keeps"

    method: str = "random"

    def refers_to(self) -> str:
        return self.method

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        need_mask("positions_of", method)
        if not self.method:
            raise UserError("positions_of.method=: name the other method, as in snip or snip@lee2019")
        if method.constructs:
            raise UserError(f"positions_of: {method.called} constructs its mask, so that it ranks no weights")
        need_single_weights("positions_of", method.pattern)

    def reallocate(self, method: Any, reference: Mapping[str, Tensor]) -> Any:
        return method.allocated(CountsOf.of(reference))
