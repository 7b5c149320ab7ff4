"""Builds small data and networks that the training tests share: scikit-learn's digits, and nets of few weights."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sanity.data.dataset import Dataset, load
from sanity.recipes import Recipe
from sanity.training.callbacks import Callbacks
from sanity.training.compute import Compute
from sanity.training.job import TrainingResult, TrainingSpec
from sanity.training.loop import train

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]


@lru_cache
def digits() -> tuple[Dataset, Dataset]:
    """Returns 101 training and 50 test images of the digits, 1 x 8 x 8: the last batch is not full."""
    train, test = load("digits")
    return _first(train, 101), _first(test, 50)


def _first(split: Dataset, count: int) -> Dataset:
    return replace(split, examples=split.pixels[:count], targets=split.targets[:count])


def trained(
    jobs: Sequence[TrainingSpec],
    recipe: Recipe,
    *,
    device: str = "cpu",
    precision: str = "fp32",
    deterministic: bool = False,
    runs_per_device: int | None = None,
    checkpoint_minutes: float = 5.0,
    **callbacks: Any,
) -> list[TrainingResult]:
    """Trains `jobs` on the digits; callbacks: as for `Callbacks`."""
    compute = Compute(device, precision, deterministic, runs_per_device)
    return train(jobs, *digits(), recipe, compute, Callbacks(**callbacks), checkpoint_minutes=checkpoint_minutes)


def _seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def tiny_mlp(seed: int = 0) -> nn.Module:
    """Returns a perceptron of 64, 20 and 10 units."""
    return _seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10)), seed)


def tiny_conv(seed: int = 0) -> nn.Module:
    """Returns a convolution with batch norm (and no bias, whose gradient would be noise) and a classifier."""
    return _seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(4),
            nn.Flatten(),
            nn.Linear(32, 10),
        ),
        seed,
    )


def half_mask(model: nn.Module, seed: int = 0, density: float = 0.5) -> dict[str, Tensor]:
    """Returns about half (or `density`) of every weight matrix, and of the last bias."""
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(model.named_parameters())
    chosen = [name for name in parameters if parameters[name].ndim > 1 or name == list(parameters)[-1]]
    return {name: torch.rand(parameters[name].shape, generator=generator) < density for name in chosen}


def equal(state: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Returns whether two state dicts agree bit for bit."""
    return state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in state)


class Mean(nn.Module):
    """Subtracts the mean over the batch: the examples of a batch are mixed, and no layer's type says so."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs - inputs.mean(0)


class Noise(nn.Module):
    """Dropout that is no module of torch's."""

    def forward(self, inputs: Tensor) -> Tensor:
        return F.dropout(inputs, 0.2, self.training)


class Rows(nn.Module):
    """Takes an image as a sequence of its rows: linear layers on (B, T, C)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.token = _seeded(lambda: nn.Linear(8, 6), seed)
        self.classifier = _seeded(lambda: nn.Linear(48, 10), seed)

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.classifier(self.token(images.squeeze(1)).relu().flatten(1))
        return outputs


class Watched(nn.Module):
    """A small network that calls `PASSES[seed]` on each pass of a training step."""

    def __init__(self, seed: int, *further: nn.Module) -> None:
        super().__init__()
        self.seed, self.net = seed, nn.Sequential(tiny_conv(seed), *further)

    def forward(self, images: Tensor) -> Tensor:
        if self.training and len(images) > 2:  # two examples are a rehearsal
            PASSES.get(self.seed, lambda: None)()
        outputs: Tensor = self.net(images)
        return outputs


PASSES: dict[int, Callable[[], object]] = {}
"""What networks do on a pass of a training step, by their seed; copies of a network have it in common."""
