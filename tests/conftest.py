"""Sets one thread for every test: networks this small only wait for each other's threads."""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from reports.content import Content
from tests.small_runs import TINY, Start

TESTS = Path(__file__).parent
DRAWN = ("cli", "docs", "examples", "methods", "reports", "reproductions", "test_run.py")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start
torch.set_num_threads(1)
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")  # how long an example takes is no fault of it


def pytest_collection_finish() -> None:
    """What was imported is no garbage: hypothesis collects often, 0.6 s each time with torch."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def forget_modules_of_temporary_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another test's module of the same name must not be found in its place, nor its bytecode of the same second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture(autouse=True)
def without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the pictures out of reports but where tests are about these: they take half of a small run's time."""
    if request.path.is_relative_to(TESTS) and request.path.relative_to(TESTS).parts[0] not in DRAWN:
        monkeypatch.setattr(Content, "sections", ())


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
