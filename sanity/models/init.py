"""Draws initial weights on the CPU in parameter order, so that a seed gives the same network on every device.

Fans are torch's: fan_in = shape[1] * receptive field, fan_out = shape[0] * receptive field.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod, sqrt
from typing import Literal

import torch
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.models.registry import INITS

Kind = Literal["conv", "linear", "norm"]
# The standard deviation of a standard normal truncated to [-2, 2].
TRUNCATED_STD = 0.8796256610342398


class Init(ABC):
    """Base class of initialisations: distributions of layers' weights and of normalisation layers' scales."""

    @abstractmethod
    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        """Draws a float32 CPU tensor of `shape` for the weight of a layer of `kind` "conv" or "linear"."""

    def scale(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """Returns the scale (gamma) of a normalisation layer: ones, unless the paper draws it."""
        return torch.ones(*shape)

    def bias(self, shape: Sequence[int], fan_in: int, generator: torch.Generator) -> Tensor:
        """Returns the bias of a convolution or linear layer with `fan_in`: zeros, unless the paper draws it."""
        return torch.zeros(*shape)

    def finish(self, model: nn.Module) -> None:  # noqa: B027 (most do nothing)
        """Sets what depends on a layer's place in `model`, once all weights are drawn."""


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Returns (fan_in, fan_out) of a weight of `shape` (out, in / groups, *kernel).

    Both fans of a bias (out,) are its length, as in TensorFlow.
    """
    if len(shape) == 1:
        return shape[0], shape[0]
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field


def normal(shape: Sequence[int], std: float, generator: torch.Generator) -> Tensor:
    """Draws from N(0, std^2)."""
    return torch.randn(*shape, generator=generator) * std


def truncated(shape: Sequence[int], std: float, generator: torch.Generator) -> Tensor:
    """Draws from N(0, std^2) truncated at two `std`, by inverting its CDF; the result's deviation is 0.8796 * `std`."""
    lowest, highest = torch.special.ndtr(torch.tensor([-2.0, 2.0], dtype=torch.float64))
    uniform = torch.rand(*shape, generator=generator, dtype=torch.float64)
    return (torch.special.ndtri(lowest + (highest - lowest) * uniform) * std).clamp(-2 * std, 2 * std).float()


class KaimingFanIn(Init):
    """N(0, 2 / fan_in) for every weight (He et al. 2015), torch's kaiming_normal_."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return normal(shape, sqrt(2 / fans(shape)[0]), generator)


class KaimingFanOut(Init):
    """N(0, 2 / fan_out) for every weight (He et al. 2015), torch's kaiming_normal_ with mode fan_out."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return normal(shape, sqrt(2 / fans(shape)[1]), generator)


class SignedConstant(Init):
    """+-sqrt(2 / fan_in), signs at random: the frozen weights of Ramanujan et al. 2020 and of Rare Gems."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return normal(shape, 1.0, generator).sign() * sqrt(2 / fans(shape)[0])


class XavierNormal(Init):
    """N(0, 2 / (fan_in + fan_out)): what official GraSP draws its scoring copy's classifier from."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return normal(shape, sqrt(2 / sum(fans(shape))), generator)


class StandardNormal(Init):
    """N(0, 1) for every weight, whatever its layer's size."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return normal(shape, 1.0, generator)


class RandomNormal(Init):
    """N(0, 0.1^2): RN of Lee et al. 2019's Table 3, which does not print its deviation."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return normal(shape, 0.1, generator)


class TruncatedNormal(Init):
    """N(0, 0.1^2) cut off at +-0.2: TN of Lee et al. 2019's Table 3, which does not print its deviation."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return truncated(shape, 0.1, generator)


class _VarianceScaling(Init):
    """TensorFlow's variance scaling: cut off at two deviations, widened so that the variance is the one stated."""

    def variance(self, fan_in: int, fan_out: int) -> float:
        raise NotImplementedError

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return truncated(shape, sqrt(self.variance(*fans(shape))) / TRUNCATED_STD, generator)


class Glorot(_VarianceScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010): VS-X of Lee et al. 2019's Table 3.

    Also the Gaussian Glorot of Frankle and Carbin 2019, whose code calls TensorFlow's `xavier_initializer`; that one's
    variance is 0.6 % larger.
    """

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2 / (fan_in + fan_out)


class He(_VarianceScaling):
    """Truncated normal of variance 2 / fan_in (He et al. 2015): VS-H of Lee et al. 2019's Table 3."""

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2 / fan_in


class Lee2019(_VarianceScaling):
    """Truncated normal of variance 1 / fan_in: official SNIP's code by TensorFlow's variance scaling of today."""

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 1 / fan_in


class Lee2019Narrow(Init):
    """N(0, 1 / fan_in) cut off at two deviations and not widened for it, of variance 0.774 / fan_in: what TensorFlow's
    default variance scaling drew up to its version 1.7 (tensorflow issue 18634). Official SNIP's code runs on any below
    1.13, and which one its authors had was not seen."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return truncated(shape, sqrt(1 / fans(shape)[0]), generator)


class GraSP(Init):
    """Convolutions N(0, 2 / fan_out), linear layers N(0, 0.01^2): official GraSP, and the ResNets of Su et al. 2020."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return normal(shape, sqrt(2 / fans(shape)[1]) if kind == "conv" else 0.01, generator)


class Su2020VGG(Init):
    """Convolutions N(0, 2 / fan_in), linear layers N(0, 0.01^2): the VGG19 of Su et al. 2020."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        return normal(shape, sqrt(2 / fans(shape)[0]) if kind == "conv" else 0.01, generator)


class Frankle2021(KaimingFanIn):
    """N(0, 2 / fan_in) for every weight, batch-norm scales uniform on [0, 1): Frankle et al. 2021."""

    def scale(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return torch.rand(*shape, generator=generator)


class _TorchBiases(Init):
    """Biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)), which torch draws unless told otherwise."""

    def bias(self, shape: Sequence[int], fan_in: int, generator: torch.Generator) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator) - 1) / sqrt(fan_in)


class OpenLTH(_TorchBiases, Frankle2021):
    """The code of Frankle et al. 2021: as `frankle2021`, and biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)), torch's own."""


class Gahaalt2019(_TorchBiases, XavierNormal):
    """N(0, 2 / (fan_in + fan_out)), and biases as torch draws them: Mikler and Plaszczyk 2019, who score biases too."""


class AsBuilt(Init):
    """Keeps the weights that the network's own code draws, seeded by the run's seed."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        raise UserError("initialisation 'as_built' is a network's own: it cannot draw the weights of a single layer")


class AsBuiltNonzero(AsBuilt):
    """Keeps the weights that the network's own code draws; those of layers that start at zero are N(0, 0.02^2), cut.

    Published transformers start their classifier at zero. The gradients behind it, its own |w| and any flow through it
    are then zero, so that SNIP, GraSP and SynFlow have nothing to rank. 0.02, cut off at two deviations, is what such
    networks draw their other layers from.
    """


def draw(init: str, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
    """Draws one weight: float32 on the CPU, of `shape`, for a layer of `kind` conv, linear or norm (its scale).

    Raises `UserError` for an unknown `init`, and for one that returns another shape.
    """
    distribution: Init = INITS.load_subclass(init, Init)()
    drawn = distribution.scale(shape, generator) if kind == "norm" else distribution.weight(shape, kind, generator)
    if tuple(drawn.shape) != tuple(shape):
        raise UserError(f"initialisation '{init}' draws {tuple(drawn.shape)} for a weight of {tuple(shape)}")
    return drawn
