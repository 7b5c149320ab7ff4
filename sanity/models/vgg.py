"""VGG with batch norm and a single linear layer, as the pruning papers use it on 32x32 images."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from sanity.models.base import InputShape, Model

WIDTHS = (64, 128, 256, 512, 512)


@dataclass(frozen=True)
class VGG(Model):
    """Five groups of 3x3 convolutions with max-pooling between them, global average pooling, one linear layer.

    Pools that an input has become too small for are skipped; at 32x32 and above, all four are there.

    bias: gives the convolutions biases (Su et al. 2020, Frankle et al. 2021); GraSP's have none.
    """

    default_init: ClassVar[str] = "grasp"
    depths: ClassVar[tuple[int, ...]]
    bias: bool = False

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, side = input_shape[0], min(input_shape[1:])
        layers: list[nn.Module] = []
        for group, (depth, width) in enumerate(zip(self.depths, WIDTHS, strict=True)):
            if group:
                layers.append(nn.MaxPool2d(2) if side > 1 else nn.Identity())
                side = max(side // 2, 1)
            for _ in range(depth):
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=self.bias), nn.BatchNorm2d(width), nn.ReLU()]
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
