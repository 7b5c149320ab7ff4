"""Hybrid tickets keep the smart ratio's count of weights in every layer: the largest of the trained network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from methods.partially_trained import PartiallyTrained
from sanity.masks.layerwise import AllocationName


@dataclass(frozen=True, kw_only=True)
class HybridTickets(PartiallyTrained):
    """Smart ratio's counts, the largest |w| after training within each layer, learning-rate rewinding.

    Su et al. 2020. Their README's example loads the stored initialisation, which would rank the weights
    before training; the paper's tickets rank the trained ones, as here. Atanov et al. 2021 retrain 160 epochs on a
    schedule that starts at epoch 40 and count layers differently.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "su2020": {},
        "atanov2021": {
            "rewind_epoch": 40,
            "retrain_epochs": 160,
            "smart_layer_count": "nominal",
            "smart_normaliser": "all",
        },
    }

    allocation: AllocationName = "smart_ratio"
