"""Runs `python -m sanity.bench`: measures our training loop beside a plain one in one process.

The loops take turns, so that a machine that others use too slows all of them alike; figures are medians over the turns.
"""

import sys
from collections.abc import Sequence

from rich import box
from rich.table import Table

from sanity.bench.command import Benchmark
from sanity.bench.loops import OURS, REFERENCE, Bench
from sanity.bench.measurement import Figures, measure
from sanity.bench.output import machine_name
from sanity.training.precision import resolve_device

GPU_CHECK = "--gpu-check"
USAGE = ["python -m sanity.bench key=value ...", f"python -m sanity.bench {GPU_CHECK} [key=value ...]"]


def main(words: Sequence[str]) -> int:
    """Runs the command line; see `sanity.bench.command`."""
    if GPU_CHECK in words:
        from sanity.bench import gpu_check  # which imports methods and the grid

        return gpu_check.main([word for word in words if word != GPU_CHECK])
    return Benchmark(USAGE, Bench, measure, _table, "bench").run(words)


def _table(bench: Bench, figures: Sequence[Figures]) -> Table:
    title = f"{bench.model}, {bench.shape}, batch {bench.batch}, {machine_name(resolve_device(bench.device))}"
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("loop", "dtype"):
        table.add_column(heading, no_wrap=True)
    for heading in (
        "tickets",
        "images\n/s",
        "ms\n/step",
        "±\n%",
        "times\nplain",
        "times\none",
        "over-\nhead",
        "peak\nMB",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    reference = next((row for row in figures if row.name == REFERENCE), None)
    alone = {row.precision: row for row in figures if (row.name, row.tickets) == (OURS, 1)}
    for row in figures:
        table.add_row(
            row.name,
            row.precision,
            str(row.tickets),
            f"{row.images_per_s:.0f}",
            f"{row.ms_per_step:.2f}",
            f"{100 * row.spread:.0f}",
            _ratio(row, reference),
            _ratio(row, alone[row.precision]),
            "" if row.overhead is None else f"{100 * row.overhead:.0f} %",
            "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
        )
    return table


def _ratio(row: Figures, base: Figures | None) -> str:
    return "" if base is None else f"{row.images_per_s / base.images_per_s:.2f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
