"""Runs `python -m sanity.bench --gpu-check`: what must be known of a GPU before a grid is trusted to it, on one page.

`device=cpu` rehearses the same steps on the CPU, so that the command itself is known to work.
"""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from rich import box
from rich.table import Table

from sanity.bench import gpu_steps
from sanity.bench.command import Benchmark
from sanity.bench.gpu_steps import Finding
from sanity.bench.output import machine_name
from sanity.console.ending import FAILED
from sanity.errors import UserError
from sanity.training.precision import resolve_device

USAGE = ["python -m sanity.bench --gpu-check [key=value ...]"]
SIGNS = {True: "yes", False: "NO", None: "?"}


@dataclass(frozen=True, kw_only=True)
class GpuCheck:
    """Holds the options of the check.

    device: cuda, cuda:N, or cpu for a rehearsal
    model: network whose throughput is measured, on 3x32x32
    batch: images a step
    tickets: trainings side by side, where many are measured
    seconds: length of one turn of a measurement
    methods: methods whose scores and masks are compared with the CPU's
    json: file that gets the findings; also as --json FILE
    """

    device: str = "cuda"
    model: str = "resnet20"
    batch: Annotated[int, Field(ge=1)] = 128
    tickets: Annotated[int, Field(ge=1)] = 8
    seconds: Annotated[float, Field(gt=0)] = 1.0
    methods: str = "snip,grasp,synflow,magnitude"
    json: str = ""


def main(words: Sequence[str]) -> int:
    """Runs the command line, see `sanity.bench.command`; 1 where something is not as it must be."""
    return Benchmark(USAGE, GpuCheck, _checked, _table, "gpu-check", "findings", _code).run(words)


def _checked(asked: GpuCheck) -> list[Finding]:
    return list(_findings(asked, _device(asked)))


def _code(findings: Sequence[Finding]) -> int:
    return FAILED if any(finding.holds is False for finding in findings) else 0


def _device(asked: GpuCheck) -> torch.device:
    """Returns the device. Raises `UserError` where there is no GPU and none was to be rehearsed."""
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("--gpu-check: torch sees no GPU here; device=cpu rehearses the same steps on the CPU")
    return resolve_device(asked.device)


def _findings(asked: GpuCheck, device: torch.device) -> Iterator[Finding]:
    """Takes every step; one that breaks off is a finding too, and the next goes on."""
    compared = [name.strip() for name in asked.methods.split(",")]
    steps: dict[str, Callable[[], Finding]] = {
        **{f"{name}: scores, mask": lambda name=name: gpu_steps.agreement(name, device) for name in compared},  # type: ignore[misc]
        "captured step": lambda: gpu_steps.captured(device),
        "kill and resume": lambda: gpu_steps.killed_and_resumed(device),
        "throughput": lambda: gpu_steps.throughput(asked.model, asked.batch, asked.tickets, asked.seconds, device),
    }
    for name, step in steps.items():
        began = time.perf_counter()
        try:
            finding = step()
        except UserError:
            raise
        except Exception as error:  # a driver or a library may raise anything, and the page must still come
            finding = Finding(False, f"{type(error).__name__}: {error}".splitlines()[0])
        yield finding.named(name, time.perf_counter() - began)


def _table(asked: GpuCheck, findings: Sequence[Finding]) -> Table:
    device = _device(asked)
    about = machine_name(device)
    if device.type == "cuda":
        about += f", CUDA {torch.version.cuda}, {torch.cuda.get_device_properties(device).total_memory / 1e9:.0f} GB"
    else:
        about += " (a rehearsal: nothing here says anything of a GPU)"
    title = f"{about}; torch {torch.__version__}, Python {platform.python_version()}"
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("step", "as it must be", "seen", "s"):
        table.add_column(heading, justify="right" if heading == "s" else "left")
    for finding in findings:
        table.add_row(finding.name, SIGNS[finding.holds], finding.text, f"{finding.seconds:.0f}")
    return table
