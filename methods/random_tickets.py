"""Random tickets keep random positions, and in every layer the count that the published smart ratio gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from methods.random import Random
from sanity.masks.layerwise import AllocationName


@dataclass(frozen=True, kw_only=True)
class RandomTickets(Random):
    """Smart-ratio random tickets: uniform noise within each layer, layer counts from a fixed rule.

    Su et al. 2020; see `sanity.masks.allocation.SmartRatio` for the rule. Their code permutes exactly the
    counted number of ones in every layer; ranking noise within the layer draws from the same distribution. Atanov et
    al. 2021 count the layers differently (`smart_layer_count=nominal`) and normalise over all (`smart_normaliser=all`).
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "su2020": {},
        "atanov2021": {"smart_layer_count": "nominal", "smart_normaliser": "all"},
    }

    allocation: AllocationName = "smart_ratio"
