"""Runs `python -m sanity.bench`: measures our training loop beside a plain one in one process.

The loops take turns, so that a machine that others use too slows all of them alike; figures are medians over the turns.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from sanity.bench.loops import BARE, OURS, REFERENCE, Bench, Contender, contenders
from sanity.config import options
from sanity.errors import UserError
from sanity.training.allocator import keep_memory
from sanity.training.precision import numerics, resolve, resolve_device

WIDTH = 80  # columns of the table where it is piped


@dataclass(frozen=True)
class Figures:
    """Holds what was measured of one contender."""

    name: str
    precision: str
    tickets: int
    images_per_s: float
    """Summed over its tickets."""
    ms_per_step: float
    """Of all its tickets together."""
    overhead: float | None
    """Share of the step that is not forward, backward and optimizer on constant data; None for the bare step itself."""
    peak_mb: float | None
    """On a GPU what tensors took at most, on a CPU the process's resident memory."""


def main(words: Sequence[str]) -> int:
    """Runs the benchmark that `key=value` words ask for. 2, with one line, for a mistake."""
    if any(word in ("-h", "--help", "help") for word in words):
        print(_help())
        return 0
    try:
        words = _with_file(words)
        if wrong := [word for word in words if "=" not in word]:
            raise UserError(f"'{wrong[0]}' is not key=value; see --help")
        keep_memory()
        bench = options.fill(Bench, dict(word.split("=", 1) for word in words), "bench")
        figures = measure(bench)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    console = Console()
    print_to = console if console.is_terminal else Console(width=WIDTH)
    print_to.print(_table(bench, figures))
    if bench.json:
        content = {**_circumstances(bench), "figures": [asdict(row) for row in figures]}
        Path(bench.json).write_text(json.dumps(content, indent=1) + "\n")
    return 0


def _with_file(words: Sequence[str]) -> list[str]:
    """Returns the words with `--json FILE` as json=FILE."""
    joined = list(words)
    if "--json" in joined:
        place = joined.index("--json")
        if place + 1 == len(joined):
            raise UserError("--json: name the file that gets the figures")
        joined[place : place + 2] = [f"json={joined[place + 1]}"]
    return joined


def _help() -> str:
    lines = ["python -m sanity.bench key=value ...", ""]
    for name, text in options.texts(Bench).items():
        lines.append(f"  {name:10} {text} [{getattr(Bench, name)}]")
    return "\n".join(lines)


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
            overhead=None if loop.name == BARE else 1 - floors[loop.precision, loop.tickets] / seconds,
            peak_mb=peak,
        )
        for loop, seconds, peak in zip(loops, times, peaks, strict=True)
    ]


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


def _table(bench: Bench, figures: Sequence[Figures]) -> Table:
    shape = "x".join(map(str, bench.shape))
    title = f"{bench.model}, {shape}, batch {bench.batch}, {_machine(resolve_device(bench.device))}"
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("loop", "dtype"):
        table.add_column(heading, no_wrap=True)
    for heading in ("tickets", "images\n/s", "ms\n/step", "times\nplain", "times\none", "over-\nhead", "peak\nMB"):
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
            _ratio(row, reference),
            _ratio(row, alone[row.precision]),
            "" if row.overhead is None else f"{100 * row.overhead:.0f} %",
            "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
        )
    return table


def _ratio(row: Figures, base: Figures | None) -> str:
    return "" if base is None else f"{row.images_per_s / base.images_per_s:.2f}"


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.cpu.get_capabilities().get('cpu_name', 'CPU')}, {torch.get_num_threads()} threads"


def _circumstances(bench: Bench) -> dict[str, object]:
    machine = _machine(resolve_device(bench.device))
    return {"asked": asdict(bench), "machine": machine, "torch": torch.__version__, "taken": time.strftime("%Y-%m-%d")}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
