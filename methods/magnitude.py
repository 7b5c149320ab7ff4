"""Magnitude pruning scores a weight by its absolute value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method
from sanity.errors import UserError
from sanity.masks.allocation import is_chain

LISTED = 6  # layers that a message names


@dataclass(frozen=True, kw_only=True)
class Magnitude(Method):
    """|w|: magnitude pruning, at initialisation unless `scored_at` says otherwise.

    Formula: score = |w| (Han et al. 2015; at initialisation: Frankle et al. 2021, Tanaka et al. 2020). No data is
    used. The codes differ only in how many weights they keep (`counts`; and ties).

    layers: `convolutions` ranks convolutions alone and keeps every linear weight, the removed count still being the
        ratio of all weights, as in the code of Su et al. 2020 for partially-trained tickets. `openlth` keeps the last
        layer whole in networks without shortcuts (LeNet, VGG) and ranks all layers of others, as OpenLTH. `all` ranks
        all.
    spare: the layers whose names hold this word are kept whole too: `downsample`, the shortcuts of our ResNets, which
        Frankle and Carbin 2019 do not prune. The removed count stays the ratio of all weights.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "frankle2021": {"counts": "one_more_removed"},
        "tanaka2020": {"counts": "removed_floored"},
    }

    layers: Literal["all", "convolutions", "openlth"] = "all"
    spare: str = ""

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"sizes"})

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        super().check_feasible(net, ratio)
        names = list(self.targets(net))
        if not any(self.spare in name for name in names):
            shown = f"{', '.join(names[:LISTED])}{' ...' if len(names) > LISTED else ''}"
            raise UserError(f"{self.called}.spare={self.spare}: no layer's name holds this word; they are {shown}")

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        scores = self.importance(net)
        ranked = self._ranked(scores)
        if len(ranked) == len(scores):
            return scores
        above = torch.stack([scores[name].abs().max() for name in ranked]).max() if ranked else 0.0
        sign = -1 if self.invert else 1
        return {name: score if name in ranked else sign * (above + 1 + score.abs()) for name, score in scores.items()}

    def importance(self, net: nn.Module) -> dict[str, Tensor]:
        """Returns the score of every prunable weight, before `layers` keeps some layers whole."""
        return {name: weight.detach().abs() for name, weight in self.targets(net).items()}

    def _ranked(self, scores: dict[str, Tensor]) -> list[str]:
        """Returns the layers that are ranked; the others are kept whole."""
        names = list(scores)
        if self.layers == "convolutions":
            names = [name for name in names if scores[name].dim() > 2]
        elif self.layers == "openlth" and is_chain({name: score.shape for name, score in scores.items()}):
            names = names[:-1]
        return [name for name in names if not self.spare or self.spare not in name]
