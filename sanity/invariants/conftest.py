"""Selects the methods and checks to prove: those named on the command line, or every registered one."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

import checks
import methods
from sanity.invariants.proofs import skipped_without_a_score

if TYPE_CHECKING:
    from checks.base import Check
    from methods.base import Method

HERE = Path(__file__).parent
VARIANT = "@"


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Limits torch to one thread: networks this small only wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _asked(config: pytest.Config, kind: str) -> list[str]:
    return list(config.getoption(f"--sanity-{kind}", default=None) or [])


def _variants(name: str) -> list[str]:
    try:
        return [name, *(f"{name}{VARIANT}{variant}" for variant in methods.REGISTRY.load(name).variants)]
    except Exception:  # the fixture reports what is wrong with it
        return [name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes one test per method (`method`), per method and variant (`preset`) and per check (`check`)."""
    names = _asked(metafunc.config, "method") or methods.searching()
    if "method" in metafunc.fixturenames:
        metafunc.parametrize("method", names, indirect=True)
    if "preset" in metafunc.fixturenames:
        metafunc.parametrize("preset", [each for name in names for each in _variants(name)], indirect=True)
    if "check" in metafunc.fixturenames:
        metafunc.parametrize("check", _asked(metafunc.config, "check") or checks.REGISTRY.names(), indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the proofs of other kinds where methods or checks are named on the command line."""
    kinds = {kind for kind in ("method", "check") if _asked(config, kind)}
    if not kinds:
        return
    dropped = [item for item in items if HERE in item.path.parents and not _about(item, kinds)]
    config.hook.pytest_deselected(items=dropped)
    unwanted = set(dropped)
    items[:] = [item for item in items if item not in unwanted]


def _about(item: pytest.Item, kinds: set[str]) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    subjects = {kind for kind, fixtures in (("method", {"method", "preset"}), ("check", {"check"})) if names & fixtures}
    return bool(subjects & kinds)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Iterator[None]:
    """Skips the proofs about scores for a method that constructs its mask."""
    with skipped_without_a_score():
        return (yield)


@pytest.fixture
def method(request: pytest.FixtureRequest) -> "Method":
    """Returns a method with its default options."""
    return methods.get(request.param)


@pytest.fixture
def preset(request: pytest.FixtureRequest) -> "Method":
    """Returns a method with its default options or with those of a paper."""
    name, _, variant = request.param.partition(VARIANT)
    return methods.get(name, variant)


@pytest.fixture
def check(request: pytest.FixtureRequest) -> "Check":
    """Returns a single check with its default options."""
    return checks.get(request.param)


@pytest.fixture
def check_name(request: pytest.FixtureRequest, check: "Check") -> str:
    """Returns the name by which `check` was requested."""
    return str(request.node.callspec.params["check"])
