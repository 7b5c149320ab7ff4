"""Runs `python -m sanity.bench.structured`: how much faster a network is without the channels that a method removes."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sanity.bench.command import Benchmark, Work
from sanity.bench.options import ChannelRemoval

if TYPE_CHECKING:
    from sanity.bench.small_networks import Figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; see `sanity.bench.command`."""
    words = sys.argv[1:] if arguments is None else arguments
    return Benchmark(["python -m sanity.bench.structured key=value ..."], ChannelRemoval, _work).run(words)


def _work() -> "Work[ChannelRemoval, Figures]":
    from sanity.bench.small_networks import measure, table  # which imports torch

    return measure, table


if __name__ == "__main__":
    sys.exit(main())
