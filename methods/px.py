"""PX scores a weight by the paths through it: the trace of the path kernel, weighted by what data activate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from methods.base import Batches
from methods.gradients import BatchNorm, GradientMethod, gradient
from methods.linear_flow import Watched
from methods.rounds import MOST_ROUNDS
from methods.scoring_copy import original_weights, remember
from sanity.errors import UserError
from sanity.masks.effective_density.algebra import mark_as_weight

Parameters = dict[str, Tensor]
_GATED = frozenset({"relu", "leaky_relu"})
_SMOOTH = frozenset({"gelu", "silu", "elu", "selu", "celu", "mish", "softplus", "hardswish", "prelu", "rrelu"})


@dataclass(frozen=True, kw_only=True)
class PX(GradientMethod):
    """|d (z1 z2) / d w^2| w^2: path exclusion, an upper bound of the trace of the neural tangent kernel.

    Formula: z2 is the network of the squared weights without activations, on ones; z1 that of ones for all weights, on
    the squared images, a unit being open where the network itself has it open for that image; the product is summed
    over classes and images (Iurada et al. 2024, eq. 12 and 13). Parameters of batch norm stay. No label is read, but
    that each class gives as many images.

    The published code changed in February 2025, after a user found that the weights which should become ones did not;
    neither version is the formula. `iurada2024` is the code of the paper's year. `iurada2025` is the present one, whose
    last layer keeps its signs: paths cancel, and a class whose z1 is near zero can lose all its weights. Its batch norm
    is not followed, which has batch statistics in z1 and z2: every image of z2 is ones, so that in a network whose
    last batch norm is averaged over all places, as in ResNets and VGGs, z2 does not depend on its convolutions at all,
    and their scores are rounding errors. Here z1 and z2 have running statistics; `batch_norm=batch` is that code.
    `iurada2024` has two batches of 128, as the script for CIFAR-10. Both codes draw other crops and flips in every
    round, that of 2024 other examples too; here all rounds see the same.

    activated: z1 has `ones` for its weights, or its `own`, as in 2024, so that it is the network's output.
    images: z1 sees `squared` images and z2 ones; or both see the images (`plain`, 2024).
    classifier: in z1 and z2 the last layer is `transformed` like all others, or its `own`, as it is (2025).
    factor: the derivative is multiplied by w^2 `once`, or also by w^2 and the weight of z1 (`twice`, 2024).
    open_in: batch norm of the pass that tells which units are open: `running` statistics, or the `batch`'s (2024).
    """

    version: ClassVar[int] = 2
    double: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "iurada2024": {
            "batch_norm": "batch",
            "activated": "own",
            "images": "plain",
            "factor": "twice",
            "open_in": "batch",
            "augment": True,
            "balanced": False,
            "examples": 128,
            "batches": 2,
            "counts": "removed_floored",
        },
        "iurada2025": {"classifier": "own", "augment": True, "counts": "removed_floored"},
    }

    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)] = 100
    batch_norm: Literal["batch", "running"] = "running"
    activated: Literal["ones", "own"] = "ones"
    images: Literal["squared", "plain"] = "squared"
    classifier: Literal["transformed", "own"] = "transformed"
    factor: Literal["once", "twice"] = "once"
    open_in: Literal["running", "batch"] = "running"

    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        super().prepare(net, generator)
        remember(net, self.targets(net))
        for weight in self.targets(net).values():
            mark_as_weight(weight)

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        for examples, _ in batches:
            with torch.no_grad():
                net(examples)
                first = net(examples)
            gradient((first * net(examples)).sum(), self.targets(net))

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        weights = self.targets(net)
        shown = self._shown(net)
        kernel = {name: value.requires_grad_() for name, value in self._kernel(net).items()}
        paths = {name: kernel[name] for name in weights}
        slope = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for batch in batches:
            _set_mode(net, "batch" in (self.batch_norm, self.open_in))  # such a batch must not be cut
            for examples, _, _ in self.parts(net, batch):
                product = self._product(net, examples, shown, kernel)
                parts = torch.autograd.grad(product, list(paths.values()), allow_unused=True)
                for name, part in zip(paths, parts, strict=True):
                    slope[name] += torch.zeros_like(slope[name]) if part is None else part
        factors = {name: weight.detach().square() for name, weight in weights.items()}
        if self.factor == "twice":
            factors = {name: factor * paths[name].detach() * shown[name] for name, factor in factors.items()}
        return {name: (slope[name] * factors[name]).abs() for name in weights}

    def _product(self, net: nn.Module, examples: Tensor, shown: Parameters, kernel: Parameters) -> Tensor:
        """Returns sum z1 z2 over classes and examples."""
        gates, watched = _Gates(), Watched()
        _set_mode(net, self.open_in == "batch")
        with watched, gates:
            functional_call(net, _buffers(net), (examples,))
        if refused := [*watched.found, *gates.smooth]:
            raise UserError(
                f"PX: {', '.join(refused)} of {type(net).__name__} is not linear while a unit is open, so that "
                "paths have no products of weights"
            )
        _set_mode(net, self.batch_norm == "batch")
        squared = self.images == "squared"
        with torch.no_grad(), gates.replayed():
            first = functional_call(net, shown | _buffers(net), (examples.square() if squared else examples,))
        with gates.left_open():
            second = functional_call(net, kernel | _buffers(net), (torch.ones_like(examples) if squared else examples,))
        product: Tensor = (first * second).sum()
        return product

    def _shown(self, net: nn.Module) -> Parameters:
        """Returns the parameters of z1."""
        dense, changed = original_weights(net), self._changed(net)
        parameters = {name: value.detach() for name, value in net.named_parameters()}
        if self.activated == "own":
            return parameters
        alive = {name: (parameters[name] != 0) | (weight == 0) for name, weight in dense.items()}
        ones = {
            name: alive[name].to(value) if name in alive else torch.ones_like(value)
            for name, value in parameters.items()
        }
        return {name: ones[name] if name in changed else value for name, value in parameters.items()}

    def _kernel(self, net: nn.Module) -> Parameters:
        """Returns the parameters of z2."""
        changed = self._changed(net)
        return {
            name: value.detach().square() if name in changed else value.detach().clone()
            for name, value in net.named_parameters()
        }

    def _changed(self, net: nn.Module) -> set[str]:
        """Returns the parameters that are squared or become one: all but batch norm's and the last layer's own."""
        last = list(self.targets(net))[-1].rpartition(".")[0]
        return {
            f"{prefix}.{name}" if prefix else name
            for prefix, module in net.named_modules()
            for name, _ in module.named_parameters(recurse=False)
            if not isinstance(module, BatchNorm) and (self.classifier == "transformed" or prefix != last)
        }


class _Gates(TorchFunctionMode):
    """Context manager; notes which units are open, and later opens the same ones, or all.

    smooth: names of activations that were met and are not linear where they are open.
    """

    def __init__(self) -> None:
        super().__init__()
        self.patterns: list[Tensor] = []
        self.smooth: dict[str, None] = {}
        self.left: Iterator[Tensor] | None = None
        self.opens_all = False

    def replayed(self) -> Self:
        """Opens in the next pass what was open in the first."""
        self.left = iter(self.patterns)
        return self

    def left_open(self) -> Self:
        """Opens all units in the next pass."""
        self.opens_all = True
        return self

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "").strip("_")
        if name in _SMOOTH:
            self.smooth[name] = None
        if name not in _GATED:
            return function(*args, **kwargs)
        signal: Tensor = args[0] if args else kwargs["input"]
        if self.opens_all:
            return signal
        if self.left is not None:
            return signal * next(self.left)
        self.patterns.append((signal.detach() > 0).to(signal))
        return function(*args, **kwargs)


def _set_mode(net: nn.Module, batch: bool) -> None:
    """Sets batch norm to statistics of the batch, or to running ones."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.train(batch)


def _buffers(net: nn.Module) -> Parameters:
    """Returns copies, so that no pass changes the running statistics that the next one sees."""
    return {name: buffer.clone() for name, buffer in net.named_buffers()}
