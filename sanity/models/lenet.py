"""Builds LeNet-300-100, two LeNet-5 and Conv-2, -4 and -6: plain convolutions and linear layers without batch norm."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from torch import nn

from sanity.models.base import InputShape, Model


@dataclass(frozen=True)
class LeNet300x100(Model):
    """Two hidden layers of 300 and 100 units (LeCun et al. 1998); 266,200 weights on MNIST."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, height, width = input_shape
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * width, 300),
            nn.ReLU(),
            nn.Linear(300, 100),
            nn.ReLU(),
            nn.Linear(100, classes),
        )


@dataclass(frozen=True)
class LeNet5(Model):
    """LeNet-5-Caffe: two 5x5 convolutions, one hidden layer of 500; 430,500 weights on MNIST.

    As in Caffe and in Lee et al. 2019's code, max-pooling is the only non-linearity between the convolutions. Inputs
    below 16x16 would shrink to nothing, so convolutions pad them by 2; the published network has no padding.
    """

    smallest_side: ClassVar[int] = 4

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, height, width = input_shape
        padding = 0 if min(height, width) >= 16 else 2

        def side(length: int) -> int:
            for _ in range(2):
                length = (length - 4 + 2 * padding) // 2
            return length

        return nn.Sequential(
            nn.Conv2d(channels, 20, 5, padding=padding),
            nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5, padding=padding),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(50 * side(height) * side(width), 500),
            nn.ReLU(),
            nn.Linear(500, classes),
        )


@dataclass(frozen=True)
class LeNet5Small(Model):
    """LeNet-5 with ReLUs and widths 6-16-120-84 (Mikler and Plaszczyk 2019, after LeCun et al. 1998); 61,470 weights.

    The first 5x5 convolution pads by 2, the second only where inputs below 12x12 would shrink to nothing.
    """

    smallest_side: ClassVar[int] = 4

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, height, width = input_shape
        padding = 0 if min(height, width) >= 12 else 2
        features = 16 * prod((side // 2 - 4 + 2 * padding) // 2 for side in (height, width))
        layers: list[nn.Module] = [
            *(nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5, padding=padding), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        ]
        for hidden in (120, 84):
            layers += [nn.Linear(features, hidden), nn.ReLU()]
            features = hidden
        return nn.Sequential(*layers, nn.Linear(features, classes))


@dataclass(frozen=True)
class _Conv(Model):
    """Pairs of 3x3 convolutions, each pair followed by max-pooling, and hidden layers of 256 and 256.

    As in Frankle and Carbin 2019 with `recipe=frankle_carbin2019 init=glorot`.
    """

    widths: ClassVar[tuple[int, ...]]

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        channels, height, width = input_shape
        layers: list[nn.Module] = []
        for width_out in self.widths:
            for width_in in (channels, width_out):
                layers += [nn.Conv2d(width_in, width_out, 3, padding=1), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
            channels, height, width = width_out, height // 2, width // 2
        features = channels * height * width
        for hidden in (256, 256):
            layers += [nn.Flatten(), nn.Linear(features, hidden), nn.ReLU()]
            features = hidden
        return nn.Sequential(*layers, nn.Linear(features, classes))


class Conv2(_Conv):
    """Conv-2 (Frankle & Carbin 2019): 3x3 convolutions 64-64-pool, hidden layers of 256 and 256."""

    smallest_side: ClassVar[int] = 2
    widths: ClassVar[tuple[int, ...]] = (64,)


class Conv4(_Conv):
    """Conv-4 (Frankle & Carbin 2019): 3x3 convolutions 64-64-pool-128-128-pool, hidden layers of 256 and 256."""

    smallest_side: ClassVar[int] = 4
    widths: ClassVar[tuple[int, ...]] = (64, 128)


class Conv6(_Conv):
    """Conv-6 (Frankle & Carbin 2019): as Conv-4, then 256-256-pool, and the same hidden layers."""

    smallest_side: ClassVar[int] = 8
    widths: ClassVar[tuple[int, ...]] = (64, 128, 256)
