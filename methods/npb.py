"""NPB chooses the weights of each layer so that many units and many paths stay in use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.aspects import Aspect
from methods.balance import Balance, Kernels, filled_up
from methods.base import Batches, Method
from methods.gradients import BatchNorm
from methods.linear_flow import LinearFlow
from methods.scoring_copy import scoring_copy
from sanity.errors import UserError
from sanity.masks import Mask
from sanity.masks.allocation import ERK, kept_after
from sanity.masks.effective_density.algebra import mark_as_weight
from sanity.masks.layerwise import AllocationName
from sanity.masks.layerwise import get as get_allocation
from sanity.masks.solved import SolvedMask
from sanity.seeds import derive
from sanity.seeds import generator as seeded

_UNREAD = (nn.modules.conv._ConvTransposeNd,)


@dataclass(frozen=True, kw_only=True)
class NPB(Method):
    """Node-path balancing: layer by layer, the mask with most units in use and most paths (Pham et al. 2023).

    Formula: a layer that keeps n weights, M(o, i) of them in the kernel between the units i and o, maximises

        alpha * (units with a kept weight) / units + (1 - alpha) * sum P(i) M(o, i) / largest such sum
            + beta * (kernels with a kept weight) / n

    with P(i) the number of paths from the inputs to unit i, over all its places, and M(o, i) of at most `per_kernel`.
    Layers are solved in the order in which the network calls them, each with the masks of those before it; where two
    choices are worth the same, chance decides, as it does on the places within a kernel. In the end weights on no path
    move into kernels that lie on one, the fullest first. Neither data nor weights are used.

    The problem is one of flows: units are nodes, weights are units of flow, and gains per unit only fall. So the
    optimum of its linear relaxation is whole, and that is what is solved (scipy, HiGHS), exactly. As in the published
    code, layers of more than 2048 kernels are solved `chunk` outputs at a time, each with its share of the weights.

    Layers keep what ERK gives them, or another `allocation`; `global` is ERK too, as nothing is ranked over layers. The
    published code (pvh1602/NPB) differs: it rounds each layer and chunk up and need not use all weights; lowers
    `per_kernel` by 2 from stage to stage; takes beta = 0.001 for shortcuts; chunks a layer from 2049 kernels in its
    ResNet-20 and from 16,385 elsewhere, and linear layers by 10 outputs; hands weights on no path on to the next layers
    where they find no room. Defaults are those of its script for ResNet-20, where paths outweigh units by far: without
    kernels, in linear layers, many weights then lie on no path. Its script for Tiny-ImageNet has chunk=16,
    per_kernel=6, beta=2. The first layer's kernels may be whole. Places of a kernel that meet padding alone, as on maps
    of 1x1, are kept only where there is no other room.

    alpha: the weight of units against paths.
    beta: the weight of kernels in use; without effect in linear layers.
    per_kernel: most weights of a kernel; raised where a layer has no room for its weights.
    chunk: outputs that are solved at a time in large layers.
    time_limit: seconds that a chunk may take. Beyond it the search ends with an error: no mask is half solved. The
        record holds the limit, and how long the slowest chunk took, as `solver`.
    """

    version: ClassVar[int] = 2
    double: ClassVar[bool] = True

    alpha: Annotated[float, Field(ge=0, le=1)] = 0.01
    beta: Annotated[float, Field(ge=0, le=1000)] = 1.0
    per_kernel: Annotated[int, Field(ge=1, le=1_000_000)] = 9
    chunk: Annotated[int, Field(ge=1, le=1_000_000)] = 32
    time_limit: Annotated[float, Field(gt=0, le=1_000_000)] = 600.0
    allocation: AllocationName = "erk"

    @property
    def looks_at(self) -> frozenset[Aspect]:
        return frozenset({"places"})

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        super().check_feasible(net, ratio)
        self._layers(net)

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        _paths(net, batches).backward()

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        source = generator if generator is not None else seeded(0, "score")
        with scoring_copy(model, batches, self.double) as (net, prepared):
            search = _Search(self, self._counts(net, ratio), source)
            self.prepare(net, source)
            for number, (name, module) in enumerate(self._layers(net).items()):
                module.register_forward_pre_hook(search.hook(name, is_first=not number))
            _paths(net, prepared).backward()
            targets = self.targets(net)
            mask = SolvedMask({name: search.settled(name, each).to(each.device) for name, each in targets.items()})
            mask.seconds, mask.time_limit = tuple(search.seconds), self.time_limit
            return mask

    @torch.no_grad()
    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        """Makes every weight and scale one, every bias zero, and batch norm the identity."""
        for module in list(net.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, BatchNorm):
                    setattr(module, name, nn.Identity())
        for name, parameter in net.named_parameters():
            parameter.fill_(0 if "bias" in name.rpartition(".")[2] else 1)
        for weight in self.targets(net).values():
            mark_as_weight(weight)

    def _counts(self, net: nn.Module, ratio: float) -> dict[str, int]:
        """Returns how many weights each layer keeps."""
        shapes = {name: tuple(weight.shape) for name, weight in self.targets(net).items()}
        total = sum(weight.numel() for weight in self.targets(net).values())
        keep = kept_after(self.counts, total, ratio, total)
        exact = ratio if self.counts == "rounded" else 1 - keep / total
        return (get_allocation(self.rule()) or ERK()).counts(shapes, exact)

    def _layers(self, net: nn.Module) -> dict[str, nn.Module]:
        """Returns the module of each weight. Raises `UserError` for one that is no convolution or linear layer."""
        modules = {}
        for name in self.targets(net):
            owner, _, own = name.rpartition(".")
            modules[name] = module = net.get_submodule(owner)
            is_read = isinstance(module, nn.Linear | nn.modules.conv._ConvNd) and not isinstance(module, _UNREAD)
            if own != "weight" or not is_read:
                raise UserError(
                    f"npb: '{name}' is of a {type(module).__name__}, whose paths it cannot count; it knows "
                    "convolutions and linear layers"
                )
        return modules


def _paths(net: nn.Module, batches: Batches) -> Tensor:
    """Returns the number of paths through a network of ones."""
    with LinearFlow(uniform=False, owner="npb"):
        paths: Tensor = net(torch.ones_like(batches[0][0][:1])).sum()
    return paths


@dataclass
class _Search:
    """Solves layer after layer while the paths are counted."""

    method: NPB
    counts: Mapping[str, int]
    source: torch.Generator
    masks: dict[str, Tensor] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    seen: dict[str, Tensor] = field(default_factory=dict)
    """Of each convolution, the places of a kernel that meet the map and not its padding alone."""

    def hook(self, name: str, is_first: bool) -> Any:
        def before_the_layer(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if name not in self.masks:
                weight = module.get_parameter("weight")
                with torch.no_grad():
                    self.masks[name] = self._solved(name, module, inputs[0], is_first)
                    weight.copy_(self.masks[name])

        return before_the_layer

    def _solved(self, name: str, module: nn.Module, inputs: Tensor, is_first: bool) -> Tensor:
        weight = module.get_parameter("weight")
        units = inputs.detach().flatten(2).sum((0, 2)) if weight.dim() > 2 else inputs.detach().flatten(0, -2).sum(0)
        if isinstance(module, nn.modules.conv._ConvNd):
            self.seen[name] = places_seen(module, inputs.shape[2:])
        kernels = Kernels.of(weight.shape, int(getattr(module, "groups", 1)), units, self.seen.get(name))
        if not kernels.paths.isfinite().all():
            raise UserError(f"npb: the paths to '{name}' are too many to be counted in float64")
        method, draws = self.method, derive(self.source, name)
        most = kernels.area if is_first else method.per_kernel
        balance = Balance(method.alpha, method.beta, most, method.time_limit, self.seconds)
        return balance.mask(name, kernels, self.counts[name], method.chunk, draws).view(weight.shape)

    def settled(self, name: str, weight: nn.Parameter) -> Tensor:
        """Returns the mask of a layer after its weights on no path have moved; `weight` has its gradient."""
        if weight.grad is None or name not in self.masks:
            raise UserError(f"npb: no path is seen to lead through '{name}'")
        live = self.masks[name] & (weight.grad > 0).cpu()
        return filled_up(self.masks[name], live, derive(self.source, "filled up", name), self.seen.get(name))


def places_seen(layer: nn.modules.conv._ConvNd, size: Sequence[int]) -> Tensor:
    """Returns which places of a kernel ever meet a map of this size, (area,); the others only meet its padding.

    On a map of 1x1 a kernel of 3x3 with a padding of 1 meets it with its centre alone. Padding that repeats the map
    (`reflect`, `replicate`, `circular`) is met everywhere.
    """
    if layer.padding_mode != "zeros":
        return torch.ones(prod(layer.kernel_size), dtype=torch.bool)
    seen = torch.ones((), dtype=torch.bool)
    for dimension, side in enumerate(size):
        taps, stride, dilation = (value[dimension] for value in (layer.kernel_size, layer.stride, layer.dilation))
        before, after = _padding(layer, dimension)
        starts = torch.arange(0, before + side + after - dilation * (taps - 1), stride) - before
        met = starts[:, None] + dilation * torch.arange(taps)
        seen = seen[..., None] & ((met >= 0) & (met < side)).any(0)
    return seen.flatten()


def _padding(layer: nn.modules.conv._ConvNd, dimension: int) -> tuple[int, int]:
    """Returns how much padding stands before and after the map along a dimension."""
    if not isinstance(layer.padding, str):
        return layer.padding[dimension], layer.padding[dimension]
    spread = layer.dilation[dimension] * (layer.kernel_size[dimension] - 1) if layer.padding == "same" else 0
    return spread // 2, spread - spread // 2
