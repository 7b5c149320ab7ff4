"""Early-bird tickets are drawn as soon as the mask of the network in training no longer changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method
from methods.moments import Watch
from methods.network_slimming import channel_scores
from methods.settings import Rewind
from sanity.config.moment import END, WeightsMoment
from sanity.masks.channels import Channels
from sanity.masks.patterns import PatternName


@dataclass(frozen=True, kw_only=True)
class EarlyBird(Method):
    """|gamma| of batch norm in the epoch in which the mask has settled; dense training stops there.

    Formula: after every epoch of dense training the mask that would be drawn now; it is drawn in the first epoch whose
    mask differs in at most the share `distance` of channels from each of the `window` - 1 before (You et al. 2020,
    section 3.2). Channels are scored as by `network_slimming`. With another pattern single weights are, by |w|, and the
    share is of weights. The weights of that epoch are retrained on the whole schedule. Where no mask settles, it is
    drawn at the end of dense training (`emerged` of the record). Only the dense epochs up to the ticket are trained,
    unless another cell needs more of them.

    Another `scored_at` draws the mask at that moment, settled or not. The published code looks before each epoch, the
    first included, and removes one channel more than int(ratio * channels) (variant you2020).

    distance: the largest share by which the masks may differ.
    window: how many masks must agree, the newest among them.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"you2020": {"counts": "one_more_than_floored"}}

    pattern: PatternName = "channel"
    scored_at: WeightsMoment = "end"
    rewind: Rewind = "learning_rate"
    distance: Annotated[float, Field(ge=0, le=1)] = 0.1
    window: Annotated[int, Field(ge=2, le=1000)] = 5

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"biases", "places"}) if self.pattern.endswith("channel") else frozenset({"sizes"})

    @property
    def watch(self) -> Watch | None:
        return Watch(self.distance, self.window) if self.scored_at == END else None

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        super().check_feasible(net, ratio)
        if isinstance(pattern := self.kept_together(net), Channels):
            channel_scores(net, pattern)

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        targets, pattern = self.targets(net), self.kept_together(net)
        if isinstance(pattern, Channels):
            return pattern.spread(channel_scores(net, pattern), targets)
        return {name: weight.detach().abs() for name, weight in targets.items()}
