"""Magnitude pruning: the score of a weight is its absolute value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from methods.base import Batches, Method


@dataclass(frozen=True, kw_only=True)
class Magnitude(Method):
    """|w|: magnitude pruning, at initialisation unless `scored_at` says otherwise.

    Formula: score = |w| (Han et al. 2015; at initialisation: Frankle et al. 2021, Tanaka et al. 2020). No data is
    used. The codes differ only in how many weights they keep (off by one, ties).

    layers: `convolutions` ranks convolutions alone and keeps every linear weight, the removed count still being the
        ratio of all weights, as in the code of Su et al. 2020 for partially-trained tickets. `all` ranks all.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"frankle2021": {}, "tanaka2020": {}}

    layers: Literal["all", "convolutions"] = "all"

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        scores = {name: weight.detach().abs() for name, weight in self.targets(net).items()}
        if self.layers == "all":
            return scores
        convolutions = [score for score in scores.values() if score.dim() == 4]
        above = torch.stack([score.max() for score in convolutions]).max() if convolutions else 0.0
        sign = -1 if self.invert else 1
        return {name: score if score.dim() == 4 else sign * (above + 1 + score) for name, score in scores.items()}
