"""Makes records of random pruning and of all levels of a decomposition, from invented accuracies."""

import numpy as np

from sanity.config.decomposition import LEVELS
from tests.reports.conftest import record

ACCURACIES = (80.0, 86.0, 89.0, 89.0, 88.0, 90.0)  # random pruning, then the levels: the signs lose a point


def family(accuracies: np.ndarray, method: str = "snip", ratio: float = 0.98) -> list[dict]:
    """Returns records of random pruning and of every level from accuracies of shape (levels + 1, seeds)."""
    base = [record("random", "none", ratio, seed, value) for seed, value in enumerate(accuracies[0])]
    return base + [
        record(method, level.check, ratio, seed, float(value))
        for level, row in zip(LEVELS, accuracies[1:], strict=True)
        for seed, value in enumerate(row)
    ]


def noisy(seeds: int, sd: float = 0.2) -> np.ndarray:
    return np.array(ACCURACIES)[:, None] + sd * np.random.default_rng(0).normal(size=(len(ACCURACIES), seeds))
