"""GMP: gradual magnitude pruning, from the dense network to the ratio in one training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from methods.magnitude import Magnitude
from methods.rigl import check_alone
from sanity.config.moment import Moment
from sanity.errors import UserError
from sanity.masks.layerwise import AllocationName
from sanity.masks.updates import GradualPruning
from sanity.store.identity import differing

_NOT_ITS = ("invert", "counts", "rounds", "removed_per_round", "schedule", "layers", "rewind", "weights_at")


@dataclass(frozen=True, kw_only=True)
class GMP(Magnitude):
    """A baseline that prunes in training: gradual magnitude pruning, from the dense network to the ratio.

    Formula: at iteration t, every `update_every` iterations up to T, the smallest |w| go until the share ratio * (1 -
    (1 - t / T)^3) is gone; the last update, at T, leaves exactly round((1 - ratio) * N) weights (Zhu and Gupta 2017,
    which begin at once and prune every layer alike: `allocation`). What is gone stays gone, while their code would take
    a weight back whose momentum moves it. The record describes the final mask.

    Training starts from the dense network, so that no mask is searched, and it costs as much as dense training: a bar
    that pruning at initialisation is measured by, not one of its methods. Checks of the data cannot change it; checks
    that move a mask are refused, since there is none; those that change weights change its initialisation. Called
    outside of a grid, `mask` ranks the weights that it is given, as the last update would.

    update_every: the moment of the first update and the distance of any two: 100it, or 1ep.
    update_until: the share of the training after which the mask stays.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    allocation: AllocationName = "uniform"
    update_every: Moment = "100it"
    update_until: Annotated[float, Field(gt=0, le=1)] = 0.75

    def mask_updates(self, ratio: float) -> GradualPruning:
        return GradualPruning(every=self.update_every, until=self.update_until, ratio=ratio, allocation=self.allocation)

    def check_training(self) -> None:
        check_alone(self)
        if changed := [name for name in _NOT_ITS if name in differing(self)]:
            raise UserError(f"GMP prunes while it trains: {changed[0]}={getattr(self, changed[0])} has no effect on it")
        if self.allocation == "smart_ratio" or self.counts_from:
            raise UserError(f"GMP: allocation={self.allocation} has no counts for the ratios on the way; set another")
