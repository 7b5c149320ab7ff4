"""Measures loops in turns, so that a machine that others use too slows all of them alike."""

import resource
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from rich import box
from rich.table import Table

from sanity.bench.busyness import spread_of
from sanity.bench.loops import BARE, OURS, REFERENCE, Contender, contenders
from sanity.bench.options import Bench
from sanity.store.environment import describe
from sanity.training.precision import numerics, resolve, resolve_device


@dataclass(frozen=True)
class Figures:
    """Holds what was measured of one contender."""

    name: str
    precision: str
    tickets: int
    images_per_s: float
    """Summed over its tickets."""
    ms_per_step: float
    """Of all its tickets together, the median over the turns."""
    spread: float
    """Half of the range of the turns as a share of the median."""
    overhead: float | None
    """Share of the step that is not forward, backward and optimizer on constant data; None for the bare step itself."""
    peak_mb: float | None
    """On a GPU what tensors took at most, on a CPU the process's resident memory."""


def measure(bench: Bench) -> list[Figures]:
    """Measures all contenders. Raises `UserError` for a network or device that there is not."""
    device = resolve_device(bench.device)
    precision = resolve(bench.precision, device)
    loops = list(contenders(bench, device, precision))
    for loop in loops:
        with numerics(device, loop.precision, deterministic=False):
            for _ in range(3):
                loop.step()
    turns = [[_turn(loop, bench.seconds, device) for loop in loops] for _ in range(bench.turns)]
    by_loop = list(zip(*turns, strict=True))
    times = [statistics.median(seconds for seconds, _ in column) for column in by_loop]
    spreads = [
        spread_of([seconds for seconds, _ in column], middle) for column, middle in zip(by_loop, times, strict=True)
    ]
    peaks = [max((peak for _, peak in column if peak is not None), default=None) for column in by_loop]
    floors = {
        (loop.precision, loop.tickets): time for loop, time in zip(loops, times, strict=True) if loop.name == BARE
    }
    return [
        Figures(
            loop.name,
            loop.precision,
            loop.tickets,
            images_per_s=bench.batch * loop.tickets / seconds,
            ms_per_step=1000 * seconds,
            spread=spread,
            overhead=None if loop.name == BARE else 1 - floors[loop.precision, loop.tickets] / seconds,
            peak_mb=peak,
        )
        for loop, seconds, spread, peak in zip(loops, times, spreads, peaks, strict=True)
    ]


def table(bench: Bench, figures: Sequence[Figures]) -> Table:
    """Returns a row for each contender, beside the plain loop and beside one ticket."""
    title = f"{bench.model}, {bench.shape}, batch {bench.batch}, {describe(resolve_device(bench.device))}"
    rows = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("loop", "dtype"):
        rows.add_column(heading, no_wrap=True)
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
        rows.add_column(heading, justify="right", no_wrap=True)
    reference = next((row for row in figures if row.name == REFERENCE), None)
    alone = {row.precision: row for row in figures if (row.name, row.tickets) == (OURS, 1)}
    for row in figures:
        rows.add_row(
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
    return rows


def _ratio(row: Figures, base: Figures | None) -> str:
    return "" if base is None else f"{row.images_per_s / base.images_per_s:.2f}"


def _turn(contender: Contender, seconds: float, device: torch.device) -> tuple[float, float | None]:
    """Measures seconds a step, over about `seconds` and two steps at least, and the peak of memory in MB."""
    _reset_peak()
    with numerics(device, contender.precision, deterministic=False):
        contender.step()
        _wait(device)
        count, chunk, began = 0, 1 if device.type == "cpu" else 20, time.perf_counter()
        while count < 2 or time.perf_counter() - began < seconds:
            for _ in range(chunk):
                contender.step()
            count += chunk
            _wait(device)
        return (time.perf_counter() - began) / count, _peak(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _reset_peak() -> None:
    with suppress(OSError):  # Linux only; elsewhere the peak is that of the whole process so far
        Path("/proc/self/clear_refs").write_text("5")


def _peak(device: torch.device) -> float | None:
    """Returns the peak memory; None on a GPU, whose allocator counts all contenders and omits CUDA graphs."""
    if device.type == "cuda":
        return None
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) / 1e3 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
