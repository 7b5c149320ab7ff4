"""Network slimming scores a channel by the scale of its batch norm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method
from methods.settings import Rewind
from sanity.config.moment import WeightsMoment
from sanity.errors import UserError
from sanity.masks.channels import Channels, of_network, scales_of


@dataclass(frozen=True, kw_only=True)
class NetworkSlimming(Method):
    """|gamma| of batch norm after dense training: whole channels go, whichever the layer.

    Formula: score of a channel = |gamma|, its scale in batch norm; of channels that several norms scale, as behind a
    residual connection, the mean (Liu et al. 2017, section 3). The published training adds
    lambda * sum |gamma| to the loss, lambda 1e-4: `recipe.l1_norm=1e-4`. The weights of the trained network are
    retrained on the whole schedule; with `rewind=init` the initial ones are, and the check `reinit` draws new ones. The
    ratio is the share of channels. At the usual initialisation all scales are equal: position would decide. The
    published code removes one channel more than int(ratio * channels) (variant liu2017).
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"liu2017": {"counts": "one_more_than_floored"}}

    pattern: Literal["channel", "inner_channel"] = "channel"
    scored_at: WeightsMoment = "end"
    rewind: Rewind = "learning_rate"

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"biases", "places"})

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        super().check_feasible(net, ratio)
        channel_scores(net, of_network(self.pattern, net))

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        pattern = of_network(self.pattern, net)
        return pattern.spread(channel_scores(net, pattern), self.targets(net))


def channel_scores(net: nn.Module, pattern: Channels) -> dict[str, Tensor]:
    """Returns (channels,) by the first layer that writes them. Raises `UserError` where no batch norm scales them."""
    scales = scales_of(net)
    scores: dict[str, Tensor] = {}
    for names in pattern.spaces:
        if not scales[names[0]]:
            raise UserError(
                f"network_slimming: no batch norm scales the channels of '{names[0]}', so nothing scores them"
            )
        scores[names[0]] = torch.stack([scale.detach().abs() for scale in scales[names[0]]]).mean(0)
    return scores
