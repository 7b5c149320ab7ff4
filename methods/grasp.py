"""GraSP scores a weight by how much removing it changes the flow of gradient through the network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.base import Batches
from methods.data import ScoringData
from methods.gradients import GradientMethod, gradient
from sanity.masks import prunable
from sanity.models.init import draw

Weights = dict[str, nn.Parameter]
_OFFICIAL = {
    "augment": True,
    "order": "class_sorted",
    "split": 2,
    "reinit_classifier": True,
    "counts": "one_more_kept",
}


@dataclass(frozen=True, kw_only=True)
class GraSP(GradientMethod):
    """w Hg: gradient signal preservation, the change of the squared gradient norm when a weight is removed.

    Formula: score = w * (H g), g = sum of the batches' gradients, H g = sum over the batches of the batch's Hessian
    times g, by one double backward pass (Wang et al. 2020, who remove the highest -w * Hg).
    L is the mean cross-entropy of the logits over `temperature`. The sum of all scores is g'Hw.

    What the codes do otherwise: the official one splits class-sorted examples into two halves (for memory, says its
    author), draws the classifier's weights anew on the scored copy, and keeps one weight more than it should; Frankle
    et al. 2021 multiply each batch's H with its own g and prune the highest -w * Hg, of Tiny-ImageNet in batches of
    256 (`batch_size`); Tanaka et al. 2020 draw examples without regard to class and read them twice, in inference mode
    and in batches of 256, whose mean losses' gradients are added up.

    The official examples depend on the data set, which a variant does not know: 5 a class drawn twice
    (`examples_per_class=5 batches=2`) for ResNet-32 on CIFAR-100, 1 a class drawn ten times for Tiny-ImageNet, by Su et
    al. also for networks deeper than 32 layers. On corrupted data Atanov et al. draw one fixed list, so that their two
    draws see the same examples; here each draw is independent.

    gradient: the g of `all` batches together, or `per_batch`, every batch's H g weighted by its size.
    temperature: divides the logits (200 in all published code but one).
    reinit_classifier: draws every Linear weight of the scored copy anew (Xavier normal), so that the classifier's mask
        is found on weights that are never trained.
    absolute: |w Hg|, the `graspabs` of Frankle et al. 2021.
    redraw: g and H see the examples in another order and augmented anew, as where a loader is read twice (the code of
        Tanaka et al. 2020).
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "wang2020": _OFFICIAL,
        "su2020": _OFFICIAL,
        "atanov2021": _OFFICIAL,
        "frankle2021": {"gradient": "per_batch", "batch_size": 128, "counts": "removed_ceiled"},
        "tanaka2020": {
            "augment": True,
            "balanced": False,
            "batch_norm": "running",
            "batch_size": 256,
            "redraw": True,
            "counts": "removed_floored",
        },
    }

    gradient: Literal["all", "per_batch"] = "all"
    temperature: Annotated[float, Field(gt=0)] = 200.0
    reinit_classifier: bool = False
    absolute: bool = False
    redraw: bool = False

    @property
    def data(self) -> ScoringData:
        return replace(super().data, passes=2 if self.redraw else 1)

    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        super().prepare(net, generator)
        if self.reinit_classifier:
            with torch.no_grad():
                for weight in prunable(net).values():
                    if weight.dim() == 2:
                        weight.copy_(draw("xavier_normal", weight.shape, "linear", generator))

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        weights = self.targets(net)
        for part in ((examples, targets, 1.0) for examples, targets in batches):
            total = self._slope(net, weights, *part, graph=False)
            slope = self._slope(net, weights, *part, graph=True)
            gradient(torch.stack([(total[name] * slope[name]).sum() for name in weights]).sum(), weights)

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        weights = self.targets(net)
        product = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        middle = len(batches) // 2 if self.redraw else 0  # 0: one set of batches serves both products
        first, second = (batches[:middle], batches[middle:]) if middle else (batches, batches)
        if self.gradient == "all":
            self._add_product(product, net, weights, first, second)
        else:
            for seen, again in zip(first, second, strict=False):
                self._add_product(product, net, weights, [seen], [again], len(again[0]))
        scores = {name: weight.detach() * product[name] for name, weight in weights.items()}
        return {name: score.abs() for name, score in scores.items()} if self.absolute else scores

    def _add_product(
        self,
        product: dict[str, Tensor],
        net: nn.Module,
        weights: Weights,
        first: Batches,
        second: Batches,
        factor: float = 1.0,
    ) -> None:
        """Adds `factor` times H g to `product`, g of the `first` batches, H of the `second`."""
        total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for batch in first:
            for part in self.parts(net, batch):
                for name, value in self._slope(net, weights, *part, graph=False).items():
                    total[name] += value
        for batch in second:
            for part in self.parts(net, batch):
                slope = self._slope(net, weights, *part, graph=True)
                along = torch.stack([(total[name] * slope[name]).sum() for name in weights]).sum()
                for name, value in gradient(factor * along, weights).items():
                    product[name] += value

    def _slope(
        self, net: nn.Module, weights: Weights, examples: Tensor, targets: Tensor, share: float, *, graph: bool
    ) -> dict[str, Tensor]:
        return gradient(share * F.cross_entropy(net(examples) / self.temperature, targets), weights, graph)
