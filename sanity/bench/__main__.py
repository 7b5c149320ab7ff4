"""Runs `python -m sanity.bench`: measures our training loop beside a plain one in one process.

The loops take turns, so that a machine that others use too slows all of them alike; figures are medians over the turns.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sanity.bench import gpu_check
from sanity.bench.command import Benchmark, Work
from sanity.bench.options import Bench

if TYPE_CHECKING:
    from sanity.bench.measurement import Figures

GPU_CHECK = "--gpu-check"
USAGE = ["python -m sanity.bench key=value ...", f"python -m sanity.bench {GPU_CHECK} [key=value ...]"]


def main(words: Sequence[str]) -> int:
    """Runs the command line; see `sanity.bench.command`."""
    if GPU_CHECK in words:
        return gpu_check.main([word for word in words if word != GPU_CHECK])
    return Benchmark(USAGE, Bench, _work, "bench").run(words)


def _work() -> "Work[Bench, Figures]":
    from sanity.bench.measurement import measure, table  # which imports torch

    return measure, table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
