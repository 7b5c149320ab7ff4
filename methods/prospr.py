"""ProsPr scores a weight by how much masking it changes the loss after the first steps of training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from methods.base import Batches
from methods.gradients import GradientMethod
from methods.scoring_copy import original_weights, remember

Parameters = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class ProsPr(GradientMethod):
    """|d L(theta_K) / dm|: the meta-gradient by the mask m through K steps of training that start at m w.

    Formula: theta_0 = m w, all other parameters as they are; theta_k = theta_(k-1) - lr v_k, v_k = momentum v_(k-1) +
    dL/dtheta at theta_(k-1), all parameters; score = |dL(theta_K)/dm| on one more batch (Alizadeh et al. 2022,
    algorithm 1). Step k reads batch k of `batches`, from the first again where they end. As in the published code the
    first velocity of a momentum is a constant, through which no derivative is taken.

    The defaults are those of the README's package; the released command line takes momentum 0 and one batch for all
    steps (`variant=alizadeh2022`). Its code runs one round; in several, pruned weights stay zero while it steps.

    steps: K.
    inner_lr: lr.
    momentum: of the K steps.
    first_order: takes the gradients of all steps for constants, so that the score is |w dL/dtheta_K|.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "alizadeh2022": {
            "inner_lr": 0.1,
            "momentum": 0.0,
            "batches": 1,
            "augment": True,
            "balanced": False,
            "examples": 128,
            "counts": "removed_floored",
        },
    }

    batches: Annotated[int, Field(ge=1, le=10_000)] = 4
    steps: Annotated[int, Field(ge=1, le=1000)] = 3
    inner_lr: Annotated[float, Field(gt=0)] = 0.5
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    first_order: bool = False

    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        super().prepare(net, generator)
        remember(net, self.targets(net))

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        parameters = dict(net.named_parameters())
        stepped: Parameters = dict(parameters)
        for step in range(self.steps):
            examples, targets = batches[step % len(batches)]
            loss = F.cross_entropy(functional_call(net, stepped, (examples,)), targets)
            slope = _slope(loss, stepped, graph=not self.first_order)
            slope = self._velocity({}, slope) if not step else slope  # the first may be a constant
            stepped = {name: value - 0.01 * slope[name] for name, value in stepped.items()}
        examples, targets = batches[self.steps % len(batches)]
        _slope(F.cross_entropy(functional_call(net, stepped, (examples,)), targets), parameters, graph=False)

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        weights = self.targets(net)
        mask = {name: torch.ones_like(weight, requires_grad=True) for name, weight in weights.items()}
        dense = original_weights(net)  # a weight that is zero from the start is not pruned
        alive = {name: (weight.detach() != 0) | (dense[name] == 0) for name, weight in weights.items()}
        stepped: Parameters = {
            name: value.detach() * mask[name] if name in mask else value for name, value in net.named_parameters()
        }
        velocity: Parameters = {}
        for step in range(self.steps):
            loss = self._loss(net, stepped, batches[step % len(batches)])
            slope = _slope(loss, stepped, graph=not self.first_order)
            velocity = self._velocity(velocity, slope)
            held = {name: v * alive[name] if name in alive else v for name, v in velocity.items()}
            stepped = {name: value - self.inner_lr * held[name] for name, value in stepped.items()}
        score = _slope(self._loss(net, stepped, batches[self.steps % len(batches)]), mask, graph=False)
        return {name: value.abs() for name, value in score.items()}

    def _velocity(self, before: Parameters, slope: Parameters) -> Parameters:
        if not self.momentum:
            return slope
        if not before:
            return {name: value.detach() for name, value in slope.items()}
        return {name: self.momentum * before[name] + value for name, value in slope.items()}

    def _loss(self, net: nn.Module, parameters: Parameters, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Returns the mean loss of a batch under other parameters."""
        losses = [
            share * F.cross_entropy(functional_call(net, parameters, (examples,)), targets)
            for examples, targets, share in self.parts(net, batch)
        ]
        return torch.stack(losses).sum()


def _slope(loss: Tensor, parameters: Mapping[str, Tensor], graph: bool) -> Parameters:
    """Returns the derivative by every parameter; zero for one that the loss does not depend on."""
    grads = torch.autograd.grad(loss, list(parameters.values()), create_graph=graph, allow_unused=True)
    return {
        name: torch.zeros_like(value) if grad is None else grad
        for (name, value), grad in zip(parameters.items(), grads, strict=True)
    }
