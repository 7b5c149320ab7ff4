"""Defines small networks of the families that users bring: convolutions in one dimension, recurrence, attention."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models

from sanity.models.base import InputShape, Model


@dataclass(frozen=True)
class Waves(Model):
    """Two convolutions in one dimension over the pixels of an image, and a linear head."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return nn.Sequential(
            *(nn.Flatten(2), nn.Conv1d(input_shape[0], 8, 5, stride=2), nn.ReLU(), nn.Conv1d(8, 16, 5), nn.ReLU()),
            *(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, classes)),
        )


class _Rows(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Linear(width, 16), nn.LSTM(16, 16, batch_first=True)
        self.fc = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.lstm(self.embed(x.mean(1)))[0]
        return self.fc(states[:, -1])


@dataclass(frozen=True)
class Rows(Model):
    """An LSTM that reads an image row by row."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return _Rows(input_shape[2], classes)


class _Attending(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.embed, self.attention = nn.Linear(width, 16), nn.MultiheadAttention(16, 2, batch_first=True)
        self.fc = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.embed(x.mean(1))
        rows = rows + self.attention(rows, rows, rows, need_weights=False)[0]
        return self.fc(rows.mean(1)).log_softmax(1)


@dataclass(frozen=True)
class Attending(Model):
    """Attention over the rows of an image, ending in log_softmax."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return _Attending(input_shape[2], classes)


class _Colours(nn.Module):
    """Turns grey images into the colours that published vision transformers take."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x.expand(-1, 3, -1, -1))
        return logits


@dataclass(frozen=True)
class ViT(Model):
    """torchvision's vision transformer: one layer on 4 x 4 patches."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return _Colours(models.VisionTransformer(input_shape[1], 4, 1, 2, 16, 32, num_classes=classes))


@dataclass(frozen=True)
class Swin(Model):
    """torchvision's Swin transformer with two stages."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return _Colours(models.SwinTransformer([2, 2], 8, [1, 1], [1, 1], [2, 2], num_classes=classes))


@dataclass(frozen=True)
class ConvNeXt(Model):
    """torchvision's ConvNeXt with one stage."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return _Colours(models.ConvNeXt([models.convnext.CNBlockConfig(8, None, 2)], num_classes=classes))


class _Tied(nn.Module):
    """Grey levels as words: the output layer shares the embedding's weight."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(classes, 16), nn.Linear(16, classes, bias=False)
        self.mix = nn.Linear(16, 16)
        self.out.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        words = (x.flatten(1).sigmoid() * self.embed.num_embeddings).long()
        return self.out(self.mix(self.embed(words)).mean(1))


@dataclass(frozen=True)
class Tied(Model):
    """Embedding and output layer share one weight."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return _Tied(classes)


@dataclass(frozen=True)
class NoStatistics(Model):
    """Batch norm without running statistics, and one without scale and shift."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(input_shape[0], 8, 3), nn.BatchNorm2d(8, track_running_stats=False), nn.ReLU()),
            *(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8, affine=False), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes)),
        )


class _Shuffled(nn.Module):
    """Pixels in a fixed random order, scaled by random numbers: drawn by torch, numpy and Python."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        size = shape[0] * shape[1] * shape[2]
        self.register_buffer("order", torch.randperm(size))
        self.register_buffer("factors", torch.from_numpy(np.random.rand(size).astype(np.float32)))
        self.register_buffer("factor", torch.tensor(random.random()))
        self.scale = nn.Parameter(torch.rand(size))

    def forward(self, x: Tensor) -> Tensor:
        order, factors, factor = (self.get_buffer(name) for name in ("order", "factors", "factor"))
        return x.flatten(1)[:, order] * factors * factor * self.scale


@dataclass(frozen=True)
class Shuffled(Model):
    """A network that draws in its constructor, from every global generator."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        size = input_shape[0] * input_shape[1] * input_shape[2]
        return nn.Sequential(_Shuffled(input_shape), nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, classes))


class _Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x).real


@dataclass(frozen=True)
class Fourier(Model):
    """A Fourier transform between two layers: an operator whose paths are not known."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        size = input_shape[0] * input_shape[1] * input_shape[2]
        return nn.Sequential(nn.Flatten(), nn.Linear(size, 32), _Spectrum(), nn.ReLU(), nn.Linear(32, classes))
