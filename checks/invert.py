"""Inverts the ranking: does it matter that the highest scores are kept, and not the lowest?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from checks.base import Check, Prediction, keeps_random_positions

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class Invert(Check):
    """Keeps the lowest scores instead of the highest.

    The inversion of Frankle et al. 2021. Under a layerwise allocation the counts of the layers stay.
    """

    keeps: ClassVar[str] = "the method, its data and its number of weights"
    destroys: ClassVar[str] = "the direction of the ranking"

    def predicts(self, method: "Method") -> Prediction:
        return "null" if keeps_random_positions(method) else "open"

    def alter(self, method: Any) -> Any:
        return replace(method, invert=not method.invert)
