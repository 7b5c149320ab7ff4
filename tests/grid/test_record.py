"""What the record of a cell says of its ticket."""

from dataclasses import dataclass
from math import isnan
from pathlib import Path

import torch
from torch import Tensor, nn

from methods.base import Batches, Method
from sanity.run import run


@dataclass(frozen=True, kw_only=True)
class Level(Method):
    """Scores every weight the same, so that position alone decides."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: torch.ones_like(weight) for name, weight in self.targets(net).items()}


@dataclass(frozen=True, kw_only=True)
class FirstHalf(Method):
    """Constructs a mask without scores."""

    def mask(
        self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        return {
            name: (torch.arange(weight.numel()) < weight.numel() / 2).view(weight.shape)
            for name, weight in self.targets(model).items()
        }


def test_a_record_says_how_many_weights_were_kept_by_position_alone(tmp_path: Path) -> None:
    frame = run(
        {
            "methods": [f"{__name__}:Level", "magnitude", f"{__name__}:FirstHalf"], "checks": "layerwise_rearrange",
            "model": "lenet_300_100", "recipe.epochs": 1, "dataset.limit": 150, "dataset.test_limit": 100,
            "ratio": 0.5, "seeds": 0, "device": "cpu", "results_dir": tmp_path,
        }
    )  # fmt: skip
    ties = {
        (method.rpartition(":")[2], check): count for method, check, count in frame[["method", "check", "ties"]].values
    }
    for check in ("none", "layerwise_rearrange"):
        assert ties["Level", check] == frame["kept"].iloc[0]
        assert ties["magnitude", check] == 0
        assert isnan(ties["FirstHalf", check])
