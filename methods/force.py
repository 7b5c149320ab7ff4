"""FORCE scores, in many rounds, a weight of the dense network by the gradient of the pruned one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.base import Batches
from methods.gradients import GradientMethod, gradient
from methods.rounds import MOST_ROUNDS
from methods.scoring_copy import original_weights


@dataclass(frozen=True, kw_only=True)
class FORCE(GradientMethod):
    """|w0 g|, w0 the weight before pruning and g the gradient of the pruned network: pruned weights may return.

    Formula: score after round i = |w0 * dL/dw at m_i * w0| for every weight, kept or pruned; m_(i+1) keeps the highest
    of them all (de Jorge et al. 2021, FORCE: foresight connection sensitivity). The gradients of the batches' mean
    losses are added up. The density after round i of T is d^(i/T), or linear (`schedule`).

    Its code keeps int(N d) weights and draws other augmented examples in every round; here all rounds see the same
    (`batches` gives more). README: 60 rounds, 1 batch for CIFAR-10, 10 for CIFAR-100, 20 for Tiny-ImageNet.

    criterion: `force`; `iter_snip`, |w g| of the pruned network, where what is pruned stays pruned (iterative SNIP of
        the same paper, SNIP in rounds); or `grasp_it`, g^2 likewise, an approximation of the gradient's norm.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "dejorge2021": {"augment": True, "balanced": False, "examples": 128, "counts": "kept_floored"},
    }

    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)] = 60
    criterion: Literal["force", "iter_snip", "grasp_it"] = "force"

    @property
    def revive(self) -> bool:  # type: ignore[override]  # an option decides it
        """Whether pruned weights may return."""
        return self.criterion == "force"

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        weights = self.targets(net)
        slope = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for batch in batches:
            for examples, targets, share in self.parts(net, batch):
                for name, part in gradient(share * F.cross_entropy(net(examples), targets), weights).items():
                    slope[name] += part
        if self.criterion == "grasp_it":
            return {name: value.square() for name, value in slope.items()}
        factors = original_weights(net) if self.revive else {name: weight.detach() for name, weight in weights.items()}
        return {name: value.mul_(factors[name]).abs_() for name, value in slope.items()}
