"""SET: a sparse network whose mask moves at random while it trains."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from methods.rigl import RigL
from sanity.masks.updates import DropAndGrow


@dataclass(frozen=True, kw_only=True)
class SET(RigL):
    """A baseline that prunes in training, as `rigl`, but what grows is random.

    Formula: each update drops the smallest |w| of a layer and grows as many weights at random positions, at zero
    (sparse evolutionary training, Mocanu et al. 2018, as the code of Evci et al. 2020 has it: all weights that are not
    kept are candidates, those that were just dropped included). The optimizer steps before each update.

    Mocanu et al. themselves update after every epoch, up to the end, always the same share, which they take of the
    positive weights and of the negative ones separately (`by_sign`); they do not update after the last epoch.

    by_sign: whether positive and negative weights drop the same share each.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "mocanu2018": {"update_every": "1ep", "update_until": 1.0, "drop_decay": "constant", "by_sign": True},
    }

    step_at_update: bool = True
    by_sign: bool = False

    def mask_updates(self, ratio: float) -> DropAndGrow:
        return replace(super().mask_updates(ratio), grow="random", by_sign=self.by_sign)
