"""Holds the rules by which a mask changes in training: weights drop out and others grow, or the ratio rises."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from sanity.mask_updates import MaskUpdates
from sanity.masks.pruning import Survivors
from sanity.masks.ranking import keep_best
from sanity.seeds import derive

Decay = Literal["cosine", "linear", "constant"]


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
