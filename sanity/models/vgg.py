"""Builds VGG with batch norm and a single linear layer, as the pruning papers use it on 32x32 images."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from sanity.models.base import InputShape, Model

WIDTHS = (64, 128, 256, 512, 512)


@dataclass(frozen=True)
class VGG(Model):
    """Five groups of 3x3 convolutions with max-pooling between them, global average pooling, one linear layer.

    Pooling is skipped once the feature map has one pixel a side; at 32x32 and above all four pools remain.

    bias: gives the convolutions biases (Su et al. 2020, Frankle et al. 2021); GraSP's have none.
    norm_affine: gives batch norm a scale and a shift; Atanov et al. 2021 go without in their SNIP part.
    norm_momentum: the share of a batch in batch norm's running statistics (0.01 in Lee et al. 2019's code).
    norm_eps: what batch norm adds to the variance (0.001 in Lee et al. 2019's code).
    """

    default_init: ClassVar[str] = "grasp"
    depths: ClassVar[tuple[int, ...]]
    bias: bool = False
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
                norm = nn.BatchNorm2d(width, self.norm_eps, self.norm_momentum, self.norm_affine)
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=self.bias), norm, nn.ReLU()]
                channels = width
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        parts = {"features": nn.Sequential(*layers), "pool": pool, "classifier": nn.Linear(channels, classes)}
        return nn.Sequential(OrderedDict(parts))


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
