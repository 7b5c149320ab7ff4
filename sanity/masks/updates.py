"""Defines the rules by which a mask changes in training: weights drop out and others grow, or the ratio rises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from math import cos, pi
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from sanity.masks.pruning import Survivors
from sanity.masks.ranking import keep_best
from sanity.seeds import derive

Decay = Literal["cosine", "linear", "constant"]


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


@dataclass(frozen=True, kw_only=True)
class DropAndGrow(MaskUpdates):
    """Drops a share of every layer's kept weights and grows as many: a layer's count stays.

    In each layer of n kept weights, int(share * n) of the smallest |w| go; of all weights that are not kept then, the
    dropped ones included, as many come: those of the largest |gradient|, or random ones. A weight that comes starts at
    zero, and so does what the optimizer remembers of it; one that goes and comes at once stays as it was.

    grow: by the `gradient` (RigL) or at `random` (SET).
    drop: the share at the start of the training. decay: how it falls to zero towards the last update.
    by_sign: whether the share is taken of the positive weights and of the negative ones separately.
    """

    grow: Literal["gradient", "random"] = "gradient"
    drop: float = 0.3
    decay: Decay = "cosine"
    by_sign: bool = False

    @property
    def needs_gradient(self) -> bool:
        return self.grow == "gradient"

    def share(self, progress: float) -> float:
        """Returns the share of the kept weights that drop."""
        if self.decay == "cosine":
            return self.drop * (1 + cos(pi * progress)) / 2
        return self.drop * (1 - progress) if self.decay == "linear" else self.drop

    def updated(
        self,
        weights: Mapping[str, Tensor],
        mask: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        progress: float,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        share = self.share(progress)
        after = {}
        for name, layer in mask.items():
            stays = self._staying(weights[name], layer, share)
            if self.grow == "gradient":
                wanted = gradients[name].abs().float()
            else:
                wanted = torch.rand(layer.shape, generator=derive(generator, name)).to(layer.device)
            count = int(layer.sum()) - int(stays.sum())
            after[name] = stays | keep_best(wanted.masked_fill(stays, -torch.inf), count)
        return after

    def _staying(self, weight: Tensor, layer: Tensor, share: float) -> Tensor:
        """Returns which kept weights stay."""
        parts = [layer & (weight >= 0), layer & (weight < 0)] if self.by_sign else [layer]
        stays = torch.zeros_like(layer)
        for part in parts:
            kept = int(part.sum())
            goes = int(np.float32(kept) * np.float32(share))  # as the code of Evci et al. rounds
            stays |= keep_best(weight.abs().masked_fill(~part, -1.0), kept - goes)
        return stays


@dataclass(frozen=True, kw_only=True)
class GradualPruning(MaskUpdates):
    """Removes the smallest |w|, ever more of them: the removed share at progress t is ratio (1 - (1 - t)^3).

    The last update, which is never left out, leaves round((1 - ratio) * N) weights. What is gone stays gone.

    ratio: at the end. allocation: how the layers share the budget, by name.
    """

    starts_dense: ClassVar[bool] = True

    ratio: float
    allocation: str = "uniform"

    def due(self, iteration: int, every: int, length: int) -> bool:
        return super().due(iteration, every, length) or iteration == self.end(length)

    def end(self, length: int) -> int:
        return max(min(super().end(length), length - 1), 0)

    def updated(
        self,
        weights: Mapping[str, Tensor],
        mask: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        progress: float,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        survivors = Survivors(weights, mask)
        removed = self.ratio if progress == 1 else self.ratio * (1 - (1 - progress) ** 3)
        survivors.prune_round({name: weights[name].abs() for name in mask}, removed, self.allocation)
        return dict(survivors.mask())


RULES: dict[str, type[MaskUpdates]] = {rule.__name__: rule for rule in (DropAndGrow, GradualPruning)}
