"""SNIP scores a weight by how much the loss changes, to first order, when the weight is masked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.aspects import WEIGHTS, Aspect
from methods.base import Batches
from methods.gradients import GradientMethod, gradient
from sanity.masks import prunable
from sanity.models.init import Kind, draw

_OFFICIAL = {"batch_norm": "running", "balanced": False, "score_weights": "lee2019", "biases": "pruned"}
ScoreWeights = Literal["own", "random_normal", "truncated_normal", "glorot", "he", "lee2019", "xavier_normal"]


@dataclass(frozen=True, kw_only=True)
class SNIP(GradientMethod):
    """|w g|: connection sensitivity, the size of the loss's derivative by a weight's mask.

    Formula: score = |dL/dc| at c = 1 = |w * dL/dw|, L the mean cross-entropy of a batch (Lee et al. 2019, eq. 5
    and 6; their division by the sum of all scores changes no rank and is left out).

    What the codes do otherwise: the official one scores a separately drawn set of weights, prunes biases too and has
    batch norm in inference mode; a widely copied port re-draws the copy it scores and scores one augmented random
    batch; Frankle et al. 2021 take the absolute value batch by batch, of 128 examples (of Tiny-ImageNet,
    `batch_size=256`); Tanaka et al. 2020 score in inference mode, in batches of 256 whose mean losses' gradients are
    added up.

    `lee2019` is the official code up to its commit fa49903, which draws biases. Since then (`lee2019_zero_biases`) they
    are zero while scoring, so that all of them score zero and go, and training goes on without biases. Its README
    scores 128 examples for VGGs (`examples=128`). `gahaalt2019`, an independent reproduction (Mikler and Plaszczyk
    2019), prunes biases too, of the network that is trained, from one batch of all examples (`examples=60000`;
    `init=gahaalt2019`, since a bias of zero scores zero).

    aggregate: `abs_of_sum` |w * sum of the batches' gradients|, or `sum_of_abs`, every batch's |w g| weighted by its
        size.
    score_weights: `own` scores the weights that will be trained; otherwise the name of an initialisation from which a
        copy is drawn (random_normal, truncated_normal, glorot, he: the RN, TN, VS-X and VS-H of Lee et al., Table 3).
    biases: `pruned` scores and prunes the biases of Conv2d and Linear too. A bias that is zero scores zero, so its
        mask means something only where `score_weights` draws it: the official code did, from its layer's width.
    score_biases: whether `score_weights` draws the biases too, or makes them zero.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "lee2019": _OFFICIAL,
        "lee2019_zero_biases": {**_OFFICIAL, "score_biases": "zero"},
        "gahaalt2019": {"biases": "pruned", "counts": "removed_floored"},
        "su2020": {"augment": True, "counts": "kept_floored"},
        "atanov2021": {
            "augment": True,
            "examples": 64,
            "score_weights": "xavier_normal",
            "counts": "kept_floored",
        },
        "frankle2021": {"aggregate": "sum_of_abs", "batch_size": 128, "counts": "one_more_removed"},
        "tanaka2020": {
            "augment": True,
            "balanced": False,
            "batch_norm": "running",
            "batch_size": 256,
            "counts": "removed_floored",
        },
    }

    aggregate: Literal["abs_of_sum", "sum_of_abs"] = "abs_of_sum"
    score_weights: ScoreWeights = "own"
    biases: Literal["never", "pruned"] = "never"
    score_biases: Literal["drawn", "zero"] = "drawn"

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return super().looks_at if self.score_weights == "own" else super().looks_at - WEIGHTS

    def targets(self, net: nn.Module) -> dict[str, nn.Parameter]:
        return prunable(net, biases=self.biases == "pruned")

    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        super().prepare(net, generator)
        if self.score_weights == "own":
            return
        with torch.no_grad():
            for weight in self.targets(net).values():
                if weight.dim() == 1 and self.score_biases == "zero":
                    weight.zero_()
                    continue
                kind: Kind = "conv" if weight.dim() > 2 else "linear"
                weight.copy_(draw(self.score_weights, weight.shape, kind, generator))

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        weights = self.targets(net)
        score = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for batch in batches:
            slope = {name: torch.zeros_like(weight) for name, weight in weights.items()}
            for examples, targets, share in self.parts(net, batch):
                part = gradient(share * F.cross_entropy(net(examples), targets), weights)
                for name in weights:
                    slope[name] += part[name]
            for name, weight in weights.items():
                sensitivity = weight.detach() * slope[name]
                score[name] += sensitivity.abs() * len(batch[0]) if self.aggregate == "sum_of_abs" else sensitivity
        return {name: value.abs() for name, value in score.items()}
