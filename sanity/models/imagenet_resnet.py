"""Builds torchvision's ResNets, for small inputs with the stem of Tiny-ImageNet experiments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn
from torchvision import models

from sanity.models.base import InputShape, Model

SMALL = 64


@dataclass(frozen=True)
class ImageNetResNet(Model):
    """Builds a ResNet; for inputs of up to 64 pixels the first convolution is 3x3 stride-1 without max-pooling.

    stem: small, that 3x3 convolution; large, ImageNet's 7x7 stride-2 convolution and max-pooling, which Frankle et al.
        2021 also keep on Tiny-ImageNet, in the ResNet-18 of their main text; auto, by the size of the images.
    """

    default_init: ClassVar[str] = "grasp"
    constructor: ClassVar[Callable[..., models.ResNet]]
    stem: Literal["auto", "small", "large"] = "auto"

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, height, width = input_shape
        network = type(self).constructor(num_classes=classes)
        is_small = min(height, width) <= SMALL if self.stem == "auto" else self.stem == "small"
        if is_small:
            network.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
            network.maxpool = nn.Identity()
        else:
            network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        return network


class ResNet18(ImageNetResNet):
    """torchvision's ResNet-18; 3x3 stride-1 stem without max-pooling for inputs of up to 64 pixels a side."""

    constructor = staticmethod(models.resnet18)


class ResNet50(ImageNetResNet):
    """torchvision's ResNet-50; 3x3 stride-1 stem without max-pooling for inputs of up to 64 pixels a side."""

    constructor = staticmethod(models.resnet50)
