"""Builds the ResNets for small images (He et al. 2016, section 4.2): three stages of 3x3 blocks, width doubling."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from sanity.models.base import InputShape, Model


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution with batch norm where the shape changes.

    The shortcut is registered after both convolutions: layer order is part of the smart ratio's definition.
    """

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width_out)
        self.conv2 = nn.Conv2d(width_out, width_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width_out)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or width_in != width_out:
            shortcut = nn.Conv2d(width_in, width_out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(width_out))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class Network(nn.Module):
    """Convolution, three stages of `blocks` blocks each, global average pooling, linear classifier."""

    def __init__(self, channels: int, classes: int, blocks: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._stage(width, width, blocks, stride=1)
        self.layer2 = self._stage(width, 2 * width, blocks, stride=2)
        self.layer3 = self._stage(2 * width, 4 * width, blocks, stride=2)
        self.fc = nn.Linear(4 * width, classes)

    @staticmethod
    def _stage(width_in: int, width_out: int, blocks: int, stride: int) -> nn.Sequential:
        rest = (Block(width_out, width_out, stride=1) for _ in range(blocks - 1))
        return nn.Sequential(Block(width_in, width_out, stride), *rest)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.fc(out.mean((2, 3)))


@dataclass(frozen=True)
class CifarResNet(Model):
    """A ResNet of depth 6 * blocks + 2.

    width: channels of the first stage, doubled in each of the two that follow; Wang et al. 2020 and Su et al. 2020 mean
        32 by "ResNet32".
    """

    default_init: ClassVar[str] = "grasp"
    blocks: ClassVar[int]
    width: Annotated[int, Field(ge=1, le=4096)] = 16

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return Network(input_shape[0], classes, self.blocks, self.width)


class ResNet8(CifarResNet):
    """ResNet-8 for small images: stages of 16-32-64 channels, times width / 16."""

    blocks = 1


class ResNet20(CifarResNet):
    """ResNet-20 for small images: stages of 16-32-64 channels, times width / 16.

    Renda et al. 2020 and Frankle et al. 2021 prune it; 270,896 prunable weights for CIFAR-10.
    """

    blocks = 3


class ResNet32(CifarResNet):
    """ResNet-32 for small images; width=32 is the one of GraSP and of Su et al. (1,855,584 prunable weights)."""

    blocks = 5


class ResNet44(CifarResNet):
    """ResNet-44 for small images: stages of 16-32-64 channels, times width / 16."""

    blocks = 7


class ResNet56(CifarResNet):
    """ResNet-56 for small images: stages of 16-32-64 channels, times width / 16."""

    blocks = 9


class ResNet110(CifarResNet):
    """ResNet-110 for small images: stages of 16-32-64 channels, times width / 16."""

    blocks = 18
