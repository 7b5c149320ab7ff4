"""Gem-Miner trains a score for every weight and freezes the lowest to zero, round after round, until few are left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.learnt_mask import LearntMask
from methods.rounds import ladder
from sanity.masks import Mask, RankedMask, Scores, Survivors
from sanity.masks.learning import MaskLearning
from sanity.masks.pattern_base import Pattern


@dataclass(frozen=True, kw_only=True)
class GemMiner(LearntMask):
    """A mask that is optimised: scores p in [0, 1] learn over untrained weights; the lowest are frozen to zero in turn.

    Formula: the network computes with w * 1[p > 0.5] * f, f = 0 where a score was frozen; dL/dp = dL/d(w m) * w * f
    (straight through), L the mean cross-entropy plus `penalty` times the sum of the squares of all p that are left; p
    is cut to [0, 1] before every step. Every `period` epochs the lowest p of the whole network are frozen, so that the
    density after freeze j of J = floor((epochs - 1) / period) is density^(j/J); the last leaves exactly the ticket
    (Sreenivasan et al. 2022, Rare Gems). The ticket is all that is not frozen, p above 0.5 or not, as their option
    `unflag_before_finetune` has it. Weights: `init=signed_constant`.

    The penalty is that of their code (ksreenivasan/pruning_is_enough, utils/net_utils.py, `get_regularization_loss`)
    but for the frozen p, whose squares move nothing that counts. Its lambda is 1e-4 for ResNet-20
    (configs/ablation_ep_gm_resnet20_059/gm.yml, a freeze every 8 of 150 epochs) and 0 to 1.5e-5 for their MobileNets.

    Their code asks after each search what this suite asks: are redrawn weights and rearranged masks worse? Their epochs
    are 150, with augmentation. Where scores are equal, at 0 after cutting, position decides here; their threshold
    freezes all of them.

    period: epochs from freeze to freeze.
    penalty: lambda of the squares.
    quantised: whether the forward pass rounds p; else it computes with w * p * f.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sreenivasan2022": {"epochs": 150, "period": 8, "batch_size": 128},
    }

    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    period: Annotated[int, Field(ge=1)] = 1
    penalty: Annotated[float, Field(ge=0)] = 1e-4
    quantised: bool = True

    def learning(self, net: nn.Module, ratio: float) -> MaskLearning:
        return _Freezes(self, self.kept_together(net), ratio)

    def first_score(self, weight: Tensor, generator: torch.Generator) -> Tensor:
        """Draws from U(0, 1)."""
        return torch.rand(weight.shape, generator=generator, dtype=torch.float64)

    def keep(self, survivors: Survivors, ratio: float) -> int | None:
        """Returns how many weights the last freeze leaves; None for the usual number."""
        return self._keep(survivors, ratio, None)

    def ladder(self, ratio: float) -> list[float]:
        """Returns the removed fraction after each freeze."""
        return ladder(ratio, max((self.epochs - 1) // self.period, 1), "exponential", None)

    def freezes(self, ratio: float) -> dict[int, float]:
        """Returns the removed fraction after each epoch that ends with a freeze."""
        due = [epoch for epoch in range(1, self.epochs + 1) if epoch % self.period == 0 or epoch == self.epochs]
        return dict(zip(due, self.ladder(ratio), strict=False))


@dataclass(frozen=True)
class _Freezes(MaskLearning):
    """Freezes the lowest scores to zero at the ends of some epochs; `alive` is true where a score is not frozen."""

    method: GemMiner
    pattern: Pattern
    ratio: float

    def factors(self, scores: Scores, alive: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        if not self.method.quantised:
            return {name: score * alive[name] for name, score in scores.items()}
        return {name: (score > 0.5) & alive[name] for name, score in scores.items()}

    def by_scores(self, gradients: Scores, weights: Scores, scores: Scores, alive: Mapping[str, Tensor]) -> None:
        for name, by_score in gradients.items():
            by_score.mul_(weights[name])
            if self.method.penalty:
                by_score.add_(scores[name], alpha=2 * self.method.penalty)
            by_score.mul_(alive[name])

    def bound(self, scores: Scores) -> None:
        for score in scores.values():
            score.clamp_(0, 1)

    def first_alive(self, scores: Scores) -> RankedMask:
        return Survivors(scores, pattern=self.pattern).mask()

    def ended(self, epoch: int, scores: Scores, alive: RankedMask) -> RankedMask:
        freezes = self.method.freezes(self.ratio)
        if epoch not in freezes:
            return alive
        survivors = Survivors(scores, alive, self.pattern)
        keep = self.method.keep(survivors, self.ratio) if epoch == max(freezes) else None
        survivors.prune_round(scores, freezes[epoch], self.method.rule(), keep)
        return survivors.mask()

    def mask(self, scores: Scores, alive: RankedMask) -> Mask:
        return alive

    def text(self) -> str:
        return f"{self.method} {self.ratio!r}"
