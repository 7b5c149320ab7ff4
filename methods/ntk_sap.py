"""NTK-SAP scores a weight by how much its mask entry changes the neural tangent kernel, on noise and random weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from methods.aspects import Aspect
from methods.base import Batches, Method
from methods.gradients import BatchNorm, gradient
from methods.rounds import MOST_ROUNDS
from sanity.models.init import draw

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class NTKSAP(Method):
    """|d/dm sum ||f(x; m w) - f(x; m (w + e n))||^2|: the spectrum of the neural tangent kernel, by finite differences.

    Formula: the sum is over `draws` of inputs x ~ N(0, 1), weights w ~ N(0, 2 / fan in) and noise n ~ N(0, 1), e =
    `epsilon` (Wang et al. 2023, eq. 8). Its derivative by the mask m is taken through both outputs. Batch norm has
    scale one and shift zero, and takes its statistics from x in a pass of the unperturbed network.

    Neither images nor labels nor the network's own weights are used; biases are. The published code draws as many
    inputs as it would draw examples, 10 a class, and 5 sets of weights in its sample script (1 by default).

    draws: how often weights, noise and inputs are drawn in each round.
    examples: inputs of a draw.
    epsilon: the size of the perturbation.
    """

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"wang2023": {"counts": "removed_floored"}}

    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)] = 20
    draws: Annotated[int, Field(ge=1, le=10_000)] = 5
    examples: Annotated[int, Field(ge=1, le=100_000)] = 100
    epsilon: Annotated[float, Field(gt=0, le=1)] = 0.01

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"biases", "places"})

    @torch.no_grad()
    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        for module in net.modules():
            if isinstance(module, BatchNorm):
                module.momentum = 1.0
                if module.affine:
                    module.weight.fill_(1)
                    module.bias.zero_()
        for weight in self.targets(net).values():
            weight.fill_(1)  # from here on the weights of the copy are its mask

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        mask = self.targets(net)
        like = batches[0][0][:1]
        ones = {name: torch.ones_like(entries) for name, entries in mask.items()}
        for _ in range(self.draws):
            gradient(misalignment(net, mask, ones, ones, like.expand(self.examples, *like.shape[1:]), 0.1), mask)

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        mask = self.targets(net)
        slope = {name: torch.zeros_like(entries) for name, entries in mask.items()}
        shape = (self.examples, *batches[0][0].shape[1:])
        for _ in range(self.draws):
            weights = {name: _initial(entries, generator) for name, entries in mask.items()}
            noise = {name: _normal(entries.shape, entries, generator) for name, entries in mask.items()}
            examples = _normal(shape, batches[0][0], generator)
            difference = misalignment(net, mask, weights, noise, examples, self.epsilon)
            for name, part in gradient(difference, mask).items():
                slope[name] += part
        return {name: (value * (mask[name].detach() != 0)).abs() for name, value in slope.items()}


def misalignment(
    net: nn.Module, mask: Tensors, weights: Tensors, noise: Tensors, examples: Tensor, epsilon: float
) -> Tensor:
    """Returns sum ||f(x; m w) - f(x; m (w + e n))||^2 over the examples, differentiable by `mask`.

    mask, weights, noise: by parameter name, shaped like the parameter. examples: (N, C, H, W).
    The running statistics of batch norm in `net` become those of the unperturbed network on these examples.
    """
    norms = [module for module in net.modules() if isinstance(module, BatchNorm)]
    masked = {name: entries * weights[name] for name, entries in mask.items()}
    with torch.no_grad():
        for module in norms:
            module.train()
        if norms:
            functional_call(net, masked, (examples,))
        for module in norms:
            module.eval()
    moved = {name: entries * (weights[name] + epsilon * noise[name]) for name, entries in mask.items()}
    before, after = (functional_call(net, parameters, (examples,)) for parameters in (masked, moved))
    difference: Tensor = (before - after).square().sum()
    return difference


def _initial(like: Tensor, generator: torch.Generator) -> Tensor:
    return draw("kaiming_fan_in", like.shape, "conv" if like.dim() > 2 else "linear", generator).to(like)


def _normal(shape: torch.Size | tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator).to(like)
