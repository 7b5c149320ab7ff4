"""Runs `python -m sanity.scoring_cost`: times the search for a mask beside the bare passes of its formula.

`--help` lists the keys; see `sanity.bench.search_cost` for what is measured.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sanity.bench.command import Benchmark, Work
from sanity.bench.options import Searches

if TYPE_CHECKING:
    from sanity.bench.search_cost import Cost


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; see `sanity.bench.command`."""
    words = sys.argv[1:] if arguments is None else arguments
    return Benchmark(["python -m sanity.scoring_cost key=value ..."], Searches, _work).run(words)


def _work() -> "Work[Searches, Cost]":
    from sanity.bench.search_cost import measure, table  # which imports torch

    return measure, table
