"""The two options of `pytest --pyargs sanity.invariants`; loaded by every pytest, hence without torch."""

import sys

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--method` and `--check`."""
    group = parser.getgroup("sanity", "invariants of pruning methods and checks")
    for kind in ("method", "check"):
        group.addoption(
            f"--{kind}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"prove only this {kind}, a registered name or package.module:Class; may be given several times",
        )


def pytest_configure(config: pytest.Config) -> None:
    """Lets `package.module` stand in the folder that pytest was started in, as with `python -m pytest`."""
    here = str(config.invocation_params.dir)
    if (config.getoption("--method") or config.getoption("--check")) and here not in sys.path:
        sys.path.insert(0, here)
