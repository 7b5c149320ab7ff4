"""The keys of a grid that is small enough to be run by a test."""

from pathlib import Path
from typing import Any

import pytest

EPOCHS = 4
Keys = dict[str, Any]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return {
        "model": "lenet_300_100",
        "recipe.epochs": EPOCHS,
        "dataset.limit": 200,
        "dataset.test_limit": 100,
        "ratio": 0.9,
        "seeds": 0,
        "device": "cpu",
        "results_dir": str(tmp_path / "results"),
    }
