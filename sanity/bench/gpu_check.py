"""Runs `python -m sanity.bench --gpu-check`: what must be known of a GPU before a grid is trusted to it, on one page.

`device=cpu` rehearses the same steps on the CPU, so that the command itself is known to work.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sanity.bench.command import Benchmark, Work
from sanity.bench.options import GpuCheck
from sanity.console.ending import FAILED

if TYPE_CHECKING:
    from sanity.bench.gpu_steps import Finding

USAGE = ["python -m sanity.bench --gpu-check [key=value ...]"]


def main(words: Sequence[str]) -> int:
    """Runs the command line, see `sanity.bench.command`; 1 where something is not as it must be."""
    return Benchmark(USAGE, GpuCheck, _work, "gpu-check", "findings", _code).run(words)


def _work() -> "Work[GpuCheck, Finding]":
    from sanity.bench.gpu_findings import measure, table  # which imports torch

    return measure, table


def _code(findings: "Sequence[Finding]") -> int:
    return FAILED if any(finding.holds is False for finding in findings) else 0
