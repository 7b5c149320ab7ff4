"""Takes the steps of `python -m sanity.bench --gpu-check` one after the other, and puts what they find on one page."""

import platform
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from rich import box
from rich.table import Table

from sanity.bench import gpu_steps
from sanity.bench.gpu_steps import Finding
from sanity.bench.options import GpuCheck
from sanity.errors import UserError
from sanity.store.environment import describe
from sanity.training.precision import resolve_device

SIGNS = {True: "yes", False: "NO", None: "?"}


def measure(asked: GpuCheck) -> list[Finding]:
    """Takes every step. Raises `UserError` where there is no such device."""
    return list(_findings(asked, _device(asked)))


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


def table(asked: GpuCheck, findings: Sequence[Finding]) -> Table:
    """Returns a row for each step."""
    device = _device(asked)
    about = describe(device)
    if device.type == "cuda":
        about += f", CUDA {torch.version.cuda}, {torch.cuda.get_device_properties(device).total_memory / 1e9:.0f} GB"
    else:
        about += " (a rehearsal: nothing here says anything of a GPU)"
    title = f"{about}; torch {torch.__version__}, Python {platform.python_version()}"
    rows = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("step", "as it must be", "seen", "s"):
        rows.add_column(heading, justify="right" if heading == "s" else "left")
    for finding in findings:
        rows.add_row(finding.name, SIGNS[finding.holds], finding.text, f"{finding.seconds:.0f}")
    return rows
