"""Gem-Miner trains a score for every weight and freezes the lowest to zero, round after round, until few are left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.base import Batches
from methods.learnt_mask import Beside, LearntMask
from methods.rounds import ladder
from methods.scoring_copy import scoring_copy, statistics_needed
from sanity.masks import Mask, Scores, Survivors
from sanity.masks.pattern_base import Pattern
from sanity.seeds import derive
from sanity.seeds import generator as seeded

_TIES = "ties"


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

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        source = generator if generator is not None else seeded(0, "score")
        with scoring_copy(model, [batches[0]], self.double) as (net, _), statistics_needed(self.called):
            weights = self.targets(net)
            scores = {name: _uniform(weight, derive(source, "scores", name)) for name, weight in weights.items()}
            freezes = _Freezes(self, weights, scores, self.kept_together(model), ratio)

            def loss(examples: Tensor, targets: Tensor) -> Tensor:
                for score in scores.values():
                    score.data.clamp_(0, 1)
                return self.loss(net, scores, freezes.flags, examples, targets)

            self.minimise(loss, scores, net, batches, ratio, freezes)
            return freezes.flags

    def keep(self, survivors: Survivors, ratio: float) -> int | None:
        """Returns how many weights the last freeze leaves; None for the usual number."""
        return self._keep(survivors, ratio, None)

    def ladder(self, ratio: float) -> list[float]:
        """Returns the removed fraction after each freeze."""
        return ladder(ratio, max((self.epochs - 1) // self.period, 1), "exponential", None)

    def loss(
        self,
        net: nn.Module,
        scores: Mapping[str, Tensor],
        flags: Mapping[str, Tensor],
        examples: Tensor,
        targets: Tensor,
    ) -> Tensor:
        """Returns the loss of the masked network; its gradient by the scores goes straight through."""
        weights, masked = self.targets(net), {}
        for name, score in scores.items():
            factor = (score > 0.5) + (score - score.detach()) if self.quantised else score  # the difference is zero
            masked[name] = weights[name].detach() * factor * flags[name]
        loss = F.cross_entropy(torch.func.functional_call(net, masked, (examples,)), targets)
        if not self.penalty:
            return loss
        squares = [(score * flags[name]).square().sum() for name, score in scores.items()]
        return loss + self.penalty * torch.stack(squares).sum()


class _Freezes(Beside):
    """Freezes the lowest scores to zero at the ends of some epochs. flags: true where a score is not frozen."""

    def __init__(
        self, method: GemMiner, weights: Scores, scores: Mapping[str, Tensor], pattern: Pattern, ratio: float
    ) -> None:
        self._method, self._weights, self._scores, self._pattern = method, weights, scores, pattern
        self._ratio, self._left = ratio, method.ladder(ratio)
        self._survivors = Survivors(weights, pattern=pattern)
        self.flags = self._survivors.mask()

    def _due(self, epoch: int) -> bool:
        return bool(self._left) and (epoch % self._method.period == 0 or epoch == self._method.epochs)

    def ended(self, epoch: int) -> None:
        if self._due(epoch):
            to = self._left.pop(0)
            keep = None if self._left else self._method.keep(self._survivors, self._ratio)
            scores = {name: score.detach().clamp(0, 1) for name, score in self._scores.items()}
            self._survivors.prune_round(scores, to, self._method.rule(), keep)
            self.flags = self._survivors.mask()

    def state(self) -> Mapping[str, Tensor]:
        return {**self.flags, _TIES: torch.tensor(self.flags.ties)}

    def restore(self, tensors: Mapping[str, Tensor], epoch: int) -> None:
        alive = {name: tensors[name].to(weight.device) for name, weight in self._weights.items()}
        self._survivors = Survivors(self._weights, alive, self._pattern, int(tensors[_TIES]))
        self.flags = self._survivors.mask()
        for earlier in range(1, epoch + 1):
            if self._due(earlier):
                self._left.pop(0)


def _uniform(weight: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(weight.shape, generator=generator, dtype=torch.float64)
    return drawn.to(weight.device, weight.dtype).requires_grad_()
