"""RigL: a sparse network whose mask moves, while it trains, to where the gradient is largest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from methods.aspects import Aspect
from methods.base import Method
from methods.moments import scores_trained
from methods.random import Random
from sanity.config.moment import Moment
from sanity.errors import UserError
from sanity.masks.layerwise import AllocationName
from sanity.masks.updates import DropAndGrow


@dataclass(frozen=True, kw_only=True)
class RigL(Random):
    """A baseline that prunes in training: a random mask that drops small weights and grows where gradients are large.

    Formula: the training starts from random positions. At iteration t, every `update_every` iterations, each layer of n
    kept weights drops int(share n) of the smallest |w|, and grows as many of the largest |dL/dw|, at zero, the dropped
    ones among the candidates; dL/dw is the gradient of the batch by all weights, pruned ones included. With T the end
    of the updates, share = drop / 2 (1 + cos(pi t / T)) (Evci et al. 2020, Algorithm 1). The counts of the layers stay;
    the record describes the final mask.

    It sees the clean training data, as all retraining does: a check of the data cannot change it. A check of the ticket
    changes what it *starts* from: rearranging asks whether its first positions matter, `reinit` and the checks of signs
    whether its first weights do. `freeze` is refused, since its pruned weights come back.

    In its authors' code an update takes the place of the optimizer's step, the first one at iteration 0. In that of
    In-Time Over-Parameterization (Liu et al. 2021; sparselearning/core.py, `Masking.step`) the optimizer steps first,
    and the mask follows the gradient of that same step (`step_at_update`); its first update comes after `update_every`
    iterations, as here. New weights have no momentum, as in both.

    update_every: the moment of the first update and the distance of any two: 100it, or 1ep.
    update_until: the share of the training after which the mask stays (Evci et al.: three quarters).
    drop: the share of a layer's kept weights that the first update drops.
    drop_decay: how it falls towards the last: cosine | linear | constant.
    step_at_update: whether the optimizer takes its step at an update, too.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    allocation: AllocationName = "erk"
    update_every: Moment = "100it"
    update_until: Annotated[float, Field(gt=0, le=1)] = 0.75
    drop: Annotated[float, Field(gt=0, le=1)] = 0.3
    drop_decay: Literal["cosine", "linear", "constant"] = "cosine"
    step_at_update: bool = False

    @property
    def looks_at(self) -> frozenset[Aspect]:
        """What the *first* mask depends on: nothing. What follows depends on the ticket alone."""
        return frozenset()

    def mask_updates(self, ratio: float) -> DropAndGrow:
        return DropAndGrow(
            every=self.update_every,
            until=self.update_until,
            steps=self.step_at_update,
            drop=self.drop,
            decay=self.drop_decay,
        )

    def check_training(self) -> None:
        check_alone(self)


def check_alone(method: Method) -> None:
    """Raises `UserError` where a method that changes its mask in training is asked for what has no meaning there."""
    name = method.called
    if scores_trained(method):
        raise UserError(f"{name}: scored_at={method.scored_at}: its mask comes about in one training, from the start")
    if method.pattern != "unstructured":
        raise UserError(f"{name}: pattern={method.pattern} would not survive its updates; leave it out")
