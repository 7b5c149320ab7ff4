"""Sets one thread for every test: networks this small only wait for each other's threads."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.small_runs import TINY, Start

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start
torch.set_num_threads(1)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def started(**keys: str) -> int:
        words = {
            **TINY,
            "results_dir": str(tmp_path / "results"),
            **{key.replace("__", "."): value for key, value in keys.items()},
        }
        from sanity.run import main

        return main([f"{key}={value}" for key, value in words.items()])

    return started
