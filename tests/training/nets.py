"""Small data and networks that the training tests share: scikit-learn's digits, and nets of few weights."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from torch import Tensor, nn

from sanity.data.dataset import Dataset, load

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]


@lru_cache
def digits() -> tuple[Dataset, Dataset]:
    """101 training and 50 test images of the digits, 1 x 8 x 8: the last batch is not full."""
    train, test = load("digits")
    return _first(train, 101), _first(test, 50)


def _first(split: Dataset, count: int) -> Dataset:
    return replace(split, examples=split.pixels[:count], targets=split.targets[:count])


def _seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def tiny_mlp(seed: int = 0) -> nn.Module:
    """64 - 20 - 10 units."""
    return _seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10)), seed)


def tiny_conv(seed: int = 0) -> nn.Module:
    """A convolution with batch norm (and so without a bias, whose gradient would be noise), and a classifier."""
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
    """About half (or `density`) of every weight matrix, and of the last bias."""
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(model.named_parameters())
    chosen = [name for name in parameters if parameters[name].ndim > 1 or name == list(parameters)[-1]]
    return {name: torch.rand(parameters[name].shape, generator=generator) < density for name in chosen}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two state dicts agree bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
