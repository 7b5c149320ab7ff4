"""Defines how a mask may change while its network trains; the rules stand in `sanity.masks.updates`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class MaskUpdates(ABC):
    """The rule by which a mask changes in training. Iterations are counted from 0, at the start of that training.

    starts_dense: whether training starts from the dense network, so that no mask needs to be found.

    every: the moment (`100it`, `1ep`) of the first update and the distance of any two; an epoch is one of the recipe.
    until: the share of the training's iterations after which the mask stays.
    steps: whether the optimizer takes its step before an update; otherwise the update takes its place.
    """

    starts_dense: ClassVar[bool] = False

    every: int | str = "100it"
    until: float = 0.75
    steps: bool = True

    @property
    def needs_gradient(self) -> bool:
        """Whether it looks at the gradient by all weights, pruned ones included."""
        return False

    def due(self, iteration: int, every: int, length: int) -> bool:
        """Returns whether the mask changes at this iteration of `length`. every: in iterations."""
        return iteration > 0 and iteration % every == 0 and iteration < self.end(length)

    def end(self, length: int) -> int:
        """Returns the iteration from which on the mask stays."""
        return int(self.until * length)

    @abstractmethod
    def updated(
        self,
        weights: Mapping[str, Tensor],
        mask: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        progress: float,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Returns the mask after an update.

        weights: zero where the boolean `mask` is false. gradients: empty unless the rule needs them.
        progress: the share of the iterations up to the last update, 0 to 1. generator: of this update alone.
        """

    def text(self) -> str:
        """Names the rule where it determines a result: only by what differs from its defaults."""
        return f"{type(self).__name__} {self.differing()}"

    def differing(self) -> dict[str, Any]:
        """Returns the options that differ from their defaults, by name in alphabetical order."""
        named = {part.name: part.default for part in fields(self)}
        values = asdict(self)
        return {name: values[name] for name in sorted(named) if named[name] is MISSING or values[name] != named[name]}
