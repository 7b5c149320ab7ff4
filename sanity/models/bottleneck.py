"""Builds the bottleneck ResNets for small images (He et al. 2016, Identity Mappings): 9n + 2 layers, pre-activated."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from sanity.models.base import InputShape, Model

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, batch norm and ReLU before each, and a shortcut.

    The shortcut is a 1x1 convolution of the activated input where the shape changes, registered last.
    """

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        width_out = EXPANSION * width
        self.bn1 = nn.BatchNorm2d(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width_out, 1, bias=False)
        self.downsample: nn.Conv2d | None = None
        if stride != 1 or width_in != width_out:
            self.downsample = nn.Conv2d(width_in, width_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x))
        out = F.relu(self.bn2(self.conv1(active)))
        out = self.conv3(F.relu(self.bn3(self.conv2(out))))
        return out + (x if self.downsample is None else self.downsample(active))


class Network(nn.Module):
    """Convolution, three stages of `blocks` blocks each, batch norm, global average pooling, linear classifier."""

    def __init__(self, channels: int, classes: int, blocks: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.layer1 = self._stage(width, width, blocks, stride=1)
        self.layer2 = self._stage(EXPANSION * width, 2 * width, blocks, stride=2)
        self.layer3 = self._stage(EXPANSION * 2 * width, 4 * width, blocks, stride=2)
        self.bn = nn.BatchNorm2d(EXPANSION * 4 * width)
        self.fc = nn.Linear(EXPANSION * 4 * width, classes)

    @staticmethod
    def _stage(width_in: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        rest = (Bottleneck(EXPANSION * width, width, stride=1) for _ in range(blocks - 1))
        return nn.Sequential(Bottleneck(width_in, width, stride), *rest)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.fc(F.relu(self.bn(out)).mean((2, 3)))


@dataclass(frozen=True)
class BottleneckResNet(Model):
    """A pre-activated bottleneck ResNet of depth 9 * blocks + 2.

    width: channels of the first stage's 3x3 convolutions, doubled in each of the two that follow.
    """

    default_init: ClassVar[str] = "grasp"
    blocks: ClassVar[int]
    width: Annotated[int, Field(ge=1, le=4096)] = 16

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return Network(input_shape[0], classes, self.blocks, self.width)


class ResNetB20(BottleneckResNet):
    """ResNet-20 of bottlenecks for small images: stages of 64-128-256 channels, times width / 16."""

    blocks = 2


class ResNetB56(BottleneckResNet):
    """ResNet-56 of bottlenecks for small images: stages of 64-128-256 channels, times width / 16."""

    blocks = 6


class ResNetB110(BottleneckResNet):
    """ResNet-110 of bottlenecks for small images: stages of 64-128-256 channels, times width / 16."""

    blocks = 12
