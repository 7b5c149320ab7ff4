"""Draws initial weights of ImageNet ResNets whose residual branches start at zero, by the scale of their last norm."""

from collections.abc import Iterator, Sequence
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sanity.errors import UserError
from sanity.models.init import TRUNCATED_STD, GraSP, Init, Kind, fans, normal, truncated


class ZeroEnds(Init):
    """Base class of initialisations that set the last batch-norm scale of every residual branch to zero.

    Every block then starts as its shortcut. Gradients of the branch's other weights are zero at the first step, so that
    scores which multiply by them rank nothing inside the branches: score after some training (`scored_at`).
    """

    def finish(self, model: nn.Module) -> None:
        ends = list(residual_ends(model))
        if not ends:
            raise UserError(
                "the initialisation sets scales at the ends of residual branches to zero, and there are none"
            )
        for norm in ends:
            norm.weight.data.zero_()


class Goyal2017(ZeroEnds, GraSP):
    """Convolutions N(0, 2 / fan_out), linear N(0, 0.01^2), residual branches start at zero: Goyal et al. 2017.

    Section 5.1 of "Accurate, Large Minibatch SGD": He's rule for convolutions, and gamma = 0 for the last batch norm of
    each residual block. Torch's implementation of that rule, on which the paper builds, takes fan_out.
    """


class Renda2020(ZeroEnds):
    """Convolutions of variance 1 / fan_in, linear N(0, 0.01^2), residual branches start at zero: Renda et al. 2020.

    Their ResNet-50 of ImageNet (code: lottery-ticket/rewinding-iclr20-public, tpu-src/models/official/resnet), which is
    that of Google's TPU examples and of RigL's code: truncated normals by TensorFlow's variance scaling.
    """

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> Tensor:
        if kind == "linear":
            return normal(shape, 0.01, generator)
        return truncated(shape, sqrt(1 / fans(shape)[0]) / TRUNCATED_STD, generator)


def residual_ends(model: nn.Module) -> Iterator[_BatchNorm]:
    """Yields the batch norms with which residual branches end: in blocks that name their shortcut `downsample`."""
    for block in model.modules():
        if hasattr(block, "downsample"):
            branch = [part for name, part in block.named_children() if name != "downsample"]
            layers = [part for part in branch if isinstance(part, nn.Conv2d | _BatchNorm)]
            if layers and isinstance(layers[-1], _BatchNorm) and layers[-1].affine:
                yield layers[-1]
