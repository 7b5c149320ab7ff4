"""Provides the keys of a small run from the command line, and finds the records that it writes."""

from collections.abc import Callable
from pathlib import Path

TINY = {
    "model": "lenet_300_100",
    "recipe.epochs": "2",
    "dataset.limit": "200",
    "dataset.test_limit": "100",
    "ratio": "0.9",
    "seeds": "0,1",
    "methods": "snip",
    "precision": "fp32",
}
Start = Callable[..., int]


def records(root: Path) -> list[Path]:
    return sorted(root.glob("results/trainings/*/record.json"))
