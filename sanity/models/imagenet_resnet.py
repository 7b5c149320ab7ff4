"""Builds torchvision's ResNets, for small inputs with the stem of Tiny-ImageNet experiments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torchvision import models

from sanity.models.base import InputShape, Model

SMALL = 64


@dataclass(frozen=True)
class ImageNetResNet(Model):
    """Builds a ResNet; for inputs of up to 64 pixels the first convolution is 3x3 stride-1 without max-pooling."""

    default_init: ClassVar[str] = "grasp"
    constructor: ClassVar[Callable[..., models.ResNet]]

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, height, width = input_shape
        network = type(self).constructor(num_classes=classes)
        if min(height, width) <= SMALL:
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
