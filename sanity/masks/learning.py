"""Defines the rules by which a mask is learnt: scores are trained in place of the weights, which stay as they are."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor

from sanity.masks.pruning import RankedMask, Scores
from sanity.prunable import Mask


class MaskLearning(ABC):
    """The rule by which scores make a mask and the gradient by weights becomes one by scores, for one network.

    It has no state: what the next step depends on are the scores and `alive`. Everywhere, `scores` are tensors by
    parameter name, shaped like the weights, and `alive` is true where a weight may still be kept; it is empty for a
    rule that freezes none.
    """

    @abstractmethod
    def factors(self, scores: Scores, alive: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Returns what the network's weights are multiplied by: booleans, or numbers."""

    @abstractmethod
    def by_scores(self, gradients: Scores, weights: Scores, scores: Scores, alive: Mapping[str, Tensor]) -> None:
        """Turns the gradients by the products of weights and factors into those by the scores, in place.

        weights: as they were drawn.
        """

    @abstractmethod
    def mask(self, scores: Scores, alive: RankedMask) -> Mask:
        """Returns the mask that is learnt."""

    @abstractmethod
    def text(self) -> str:
        """Names the rule with all that it depends on: a training by another rule does not continue its checkpoint."""

    def bound(self, scores: Scores) -> None:  # noqa: B027 (a hook, optional)
        """Brings scores back into their range after a step, in place."""

    def first_alive(self, scores: Scores) -> RankedMask:
        """Returns `alive` before the first epoch."""
        return RankedMask({})

    def ended(self, epoch: int, scores: Scores, alive: RankedMask) -> RankedMask:
        """Returns `alive` after the epoch of that number, from 1."""
        return alive
