"""SynFlow scores a weight by the signal that flows through it when all weights are made positive."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.base import Batches, Method
from methods.gradients import BatchNorm, gradient
from methods.linear_flow import RECURRENT, LinearFlow, Watched
from methods.scoring_copy import scoring_copy, statistics_needed
from sanity.errors import UserError
from sanity.masks.effective_density.algebra import mark_as_weight
from sanity.masks.products import Products
from sanity.seeds import generator as seeded


@dataclass(frozen=True, kw_only=True)
class SynFlow(Method):
    """|w| dR/d|w|: synaptic flow, iterated so that no layer collapses.

    Formula: R = sum of the outputs of the network with every weight replaced by its absolute value, for one input of
    ones; score = |w * dR/dw| (Tanaka et al. 2020: the synaptic saliency of their R_SF), in float64, in 100 rounds, the
    density after round i being density^(i/100). No data is used beyond the shape of an example.

    What the codes do otherwise: the official one takes absolute values of everything in the state dict, batch norm's
    running statistics included, and computes in float32; Frankle et al. 2021 take those of parameters alone, in
    float64; others keep one round, or replace batch norm by the identity. SynFlow-L2 (Gebhart et al. 2021) takes
    squares for absolute values (`power=2`); the codes of Patil and Dovrolis 2021 (PHEW) and of Iurada et al. 2024 (PX)
    then multiply its derivative by |w| (`factor=weight`). Both codes of SynFlow count a round otherwise (`counts`), and
    hundred rounds amplify that: on ResNet-32 of double width at 98 %, a tenth of the kept weights is others.

    linearise: absolute values of the whole `state`, or of the `parameters` alone.
    power: 1, or 2 for squares in the place of absolute values (SynFlow-L2), so that a path weighs the product of its
        squared weights.
    factor: of power=2: what the derivative by w^2 is multiplied by, the `power` itself, w^2, so that the flow is
        conserved; or the `weight`, |w|.
    nonlinear: what stands for attention, normalisation over features (layer, group, instance and RMS norm), products of
        signals (gates) and saturating activations (ReLU6, sigmoid). The flow through them is no sum over paths, so that
        it is not conserved, and an input of ones may leave none. `refuse`: such a network is refused. `paths`: norms
        keep their scale and shift alone, a product of signals is the mean of what each passes where the others are one,
        softmax and activations pass their input. `uniform`: the same, but attention weighs all positions alike, so that
        queries and keys score zero. Both are this suite's own choice (see `methods.linear_flow`).
    batch_norm: `running` statistics, `batch` statistics of the one input of ones, or the `identity`.
    """

    double: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tanaka2020": {"counts": "removed_floored"},
        "frankle2021": {"linearise": "parameters", "counts": "one_more_removed"},
        "iurada2024": {"power": 2, "factor": "weight", "counts": "removed_floored"},
    }

    rounds: Annotated[int, Field(ge=1)] = 100
    linearise: Literal["state", "parameters"] = "state"
    power: Annotated[int, Field(ge=1, le=2)] = 1
    factor: Literal["power", "weight"] = "power"
    nonlinear: Literal["refuse", "paths", "uniform"] = "refuse"
    batch_norm: Literal["running", "batch", "identity"] = "running"

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"sizes", "biases", "places"})

    @torch.no_grad()
    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        for module in list(net.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, BatchNorm):
                    child.train(self.batch_norm == "batch")
                    if self.batch_norm == "identity":
                        setattr(module, name, nn.Identity())
        for tensor in net.parameters() if self.linearise == "parameters" else net.state_dict().values():
            if tensor.is_floating_point():
                tensor.abs_().pow_(self.power)
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        for weight in self.targets(net).values():
            weight.requires_grad_(True)
            mark_as_weight(weight)

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        gradient(self._flow(net, batches), self.targets(net))

    def rehearse(self, model: nn.Module, batches: Batches) -> None:
        super().rehearse(model, batches)
        with scoring_copy(model, batches[:1], self.double) as (net, prepared), statistics_needed(self.called):
            self.prepare(net, seeded(0, "prepare"))
            self._flow(net, prepared)

    def _flow(self, net: nn.Module, batches: Batches) -> Tensor:
        """Returns the sum of the outputs for an input of ones. Raises `UserError` where it is refused."""
        ones = torch.ones_like(batches[0][0][:1])
        if self.nonlinear != "refuse":
            with LinearFlow(uniform=self.nonlinear == "uniform"):
                output: Tensor = net(ones).sum()
            return output
        watched = Watched()
        with watched:
            output = net(ones).sum()
        if watched.found:
            way_out = "nonlinear=paths or nonlinear=uniform puts a linear operator in its place"
            if RECURRENT & watched.found.keys():
                way_out = "recurrent layers have no linear stand-in, so that SynFlow cannot score this network"
            raise UserError(
                f"SynFlow: the flow through {', '.join(watched.found)} of {type(net).__name__} is no sum over paths; "
                f"{way_out}"
            )
        return output

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return self._factored(net, batches).multiplied()

    def products(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> Products:
        return self._factored(net, batches)

    def _factored(self, net: nn.Module, batches: Batches) -> Products:
        weights = self.targets(net)
        flow = gradient(self._flow(net, batches), weights)
        factors = {name: weight.detach() for name, weight in weights.items()}
        if self.power == 2 and self.factor == "weight":
            factors = {name: weight.sqrt() for name, weight in factors.items()}
        return Products(flow, factors)
