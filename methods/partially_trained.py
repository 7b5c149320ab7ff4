"""Partially-trained tickets prune by magnitude after dense training, then rewind weights or the learning rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from methods.aspects import EVERYTHING, Aspect
from methods.magnitude import Magnitude
from methods.mask_criteria import MaskCriterion, needs_start, score
from methods.scoring_copy import start_of
from methods.settings import Rewind
from sanity.config.moment import WeightsMoment


@dataclass(frozen=True, kw_only=True)
class PartiallyTrained(Magnitude):
    """|w| of the trained network: lottery tickets, weight rewinding, learning-rate rewinding, fine-tuning.

    Formula: score = |w| at `scored_at`; what is retrained is `rewind`'s choice. Lottery ticket: rewind=weights,
    rewind_epoch=0 (Frankle and Carbin 2019); weight rewinding to k (Frankle et al. 2020); learning-rate rewinding to k
    and fine-tuning (Renda et al. 2020). With several rounds, or removed_per_round=0.2, every round trains,
    prunes and rewinds (iterative magnitude pruning). Batch-norm buffers come from where the weights come from, the
    optimizer starts afresh, the schedule starts at `rewind_epoch` (at its end for fine-tuning).

    What the codes do otherwise: Su et al. 2020 rank convolutions alone, keep the classifier whole and retrain from the
    final weights on the full schedule, one or two weights more or fewer than asked; Atanov et al. 2021 retrain 160
    epochs on a schedule that starts at epoch 40, and rewind weights to those after 41; OpenLTH and Renda et al. remove
    20 % of the remaining weights a round, OpenLTH never those of the last layer of LeNets and VGGs. The code of Frankle
    et al. 2021 for one round restarts the schedule at 0 after rewinding unless told otherwise; here it goes on, as in
    OpenLTH.

    criterion: what is ranked, of the weights w_i before and w_f after training (Zhou et al. 2019): large_final |w_f|,
        large_init |w_i|, movement |w_f - w_i|, magnitude_increase |w_f| - |w_i|; small_final and small_init keep the
        smallest; large_init_large_final and small_init_small_final rank within each layer by both and take the lower
        rank; `_same_sign` and `_diff_sign` score those 0 whose sign training changed, or left.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "su2020": {"layers": "convolutions"},
        "atanov2021": {
            "rewind_epoch": 40,
            "weights_at": 41,
            "retrain_epochs": 160,
            "counts": "kept_floored",
        },
        "frankle2021": {
            "rewind": "weights",
            "removed_per_round": 0.2,
            "layers": "openlth",
            "counts": "one_more_removed",
        },
        "frankle_carbin2019": {"rewind": "init", "allocation": "layer_rates"},
    }

    criterion: MaskCriterion = "large_final"
    scored_at: WeightsMoment = "end"
    rewind: Rewind = "learning_rate"

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return EVERYTHING if self.needs_start else super().looks_at

    @property
    def needs_start(self) -> bool:
        return needs_start(self.criterion)

    def importance(self, net: nn.Module) -> dict[str, Tensor]:
        targets = self.targets(net)
        start = start_of(net) if self.needs_start else {}
        return {
            name: score(self.criterion, start.get(name, end).to(end), end.detach()) for name, end in targets.items()
        }
