"""Builds VGG with batch norm, as the pruning papers use it on 32x32 images: with or without hidden linear layers."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field
from torch import nn

from sanity.models.base import InputShape, Model

WIDTHS = (64, 128, 256, 512, 512)


def _listed(value: Any) -> Any:
    """Splits text such as `512,512` from the command line."""
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Widths = Annotated[tuple[Annotated[int, Field(ge=1, le=65_536)], ...], BeforeValidator(_listed)]


@dataclass(frozen=True)
class VGG(Model):
    """Five groups of 3x3 convolutions with max-pooling between them, global average pooling, linear layers.

    Pooling is skipped once the feature map has one pixel a side; at 32x32 and above all four pools remain.

    bias: gives the convolutions biases (Su et al. 2020, Frankle et al. 2021); GraSP's have none.
    hidden: widths of linear layers before the classifier, each with ReLU: `512,512` for VGG-D of Lee et al. 2019,
        `4096,4096` for the `vgg_16_fc` of Renda et al.'s code; none in most papers on CIFAR.
    hidden_norm: batch norm after each hidden linear layer (Lee et al. 2019).
    dropout: the share of a hidden layer's outputs that is dropped in training (0.5 in Renda et al.'s code).
    norm_affine: gives batch norm a scale and a shift; Atanov et al. 2021 go without in their SNIP part.
    norm_momentum: the share of a batch in batch norm's running statistics (0.01 in Lee et al. 2019's code).
    norm_eps: what batch norm adds to the variance (0.001 in Lee et al. 2019's code).
    """

    default_init: ClassVar[str] = "grasp"
    depths: ClassVar[tuple[int, ...]]
    bias: bool = False
    hidden: Widths = ()
    hidden_norm: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    norm_affine: bool = True
    norm_momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    norm_eps: Annotated[float, Field(gt=0, le=1)] = 1e-5

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, side = input_shape[0], min(input_shape[1:])
        layers: list[nn.Module] = []
        for group, (depth, width) in enumerate(zip(self.depths, WIDTHS, strict=True)):
            if group:
                layers.append(nn.MaxPool2d(2) if side > 1 else nn.Identity())
                side = max(side // 2, 1)
            for _ in range(depth):
                norm = nn.BatchNorm2d(width, **self._norm())
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=self.bias), norm, nn.ReLU()]
                channels = width
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        parts: dict[str, nn.Module] = {"features": nn.Sequential(*layers), "pool": pool}
        if self.hidden:
            parts["hidden"] = self._hidden(channels)
        parts["classifier"] = nn.Linear(self.hidden[-1] if self.hidden else channels, classes)
        return nn.Sequential(OrderedDict(parts))

    def _norm(self) -> dict[str, Any]:
        return {"eps": self.norm_eps, "momentum": self.norm_momentum, "affine": self.norm_affine}

    def _hidden(self, channels: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for before, width in pairwise((channels, *self.hidden)):
            layers.append(nn.Linear(before, width))
            layers += [nn.BatchNorm1d(width, **self._norm())] if self.hidden_norm else []
            layers.append(nn.ReLU())
            layers += [nn.Dropout(self.dropout)] if self.dropout else []
        return nn.Sequential(*layers)


class VGG11(VGG):
    """VGG-11 with batch norm: 8 convolutions and one linear layer."""

    depths = (1, 1, 2, 2, 2)


class VGG13(VGG):
    """VGG-13 with batch norm: 10 convolutions and one linear layer."""

    depths = (2, 2, 2, 2, 2)


class VGG16(VGG):
    """VGG-16 with batch norm: 13 convolutions and one linear layer."""

    depths = (2, 2, 3, 3, 3)


class VGG19(VGG):
    """VGG-19 with batch norm: 16 convolutions and one linear layer; 20,024,000 prunable weights for 10 classes."""

    depths = (2, 2, 4, 4, 4)
