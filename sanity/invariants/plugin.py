"""Adds the two options of `pytest --pyargs sanity.invariants`; loaded by every pytest, hence without torch."""

import sys
from collections.abc import Iterator

import pytest

KINDS = ("method", "check")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--sanity-method` and `--sanity-check`."""
    group = parser.getgroup("sanity", "invariants of pruning methods and checks")
    for kind in KINDS:
        group.addoption(
            f"--sanity-{kind}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"prove only this {kind}: a registered name, module:NAME or file.py:NAME; may be given several times",
        )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(parser: pytest.Parser, args: list[str]) -> None:
    """Reads `--method` and `--check` as the options of this plugin, unless they are another plugin's."""
    if "sanity.invariants" in args:
        taken = set(_registered(parser))
        for kind in {f"--{kind}" for kind in KINDS} - taken:
            for place, word in enumerate(args):
                if word == kind or word.startswith(f"{kind}="):
                    args[place] = f"--sanity-{word.removeprefix('--')}"


def _registered(parser: pytest.Parser) -> Iterator[str]:
    """Yields the names of all options of all plugins."""
    for group in [parser._anonymous, *parser._groups]:
        for option in group.options:
            yield from option.names()


def pytest_configure(config: pytest.Config) -> None:
    """Lets `package.module` stand in the folder that pytest was started in, as with `python -m pytest`."""
    here = str(config.invocation_params.dir)
    if any(config.getoption(f"--sanity-{kind}") for kind in KINDS) and here not in sys.path:
        sys.path.insert(0, here)
