"""Prints the tables of the benchmarks, within 80 columns of a pipe, and writes their figures as JSON."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console, RenderableType

from sanity.bench.busyness import Busyness
from sanity.console.output import printing
from sanity.errors import UserError
from sanity.store.files import write_atomically
from sanity.training.precision import resolve_device

WIDTH = 80  # columns of a table that is piped


def show(*parts: RenderableType) -> None:
    """Prints tables and sentences, as wide as the terminal, 80 columns where it is none. Raises `CannotPrint`."""
    console = Console()
    printed = console if console.is_terminal else Console(width=WIDTH)
    with printing():
        for part in parts:
            printed.print(part, highlight=False)


def with_file(words: Sequence[str]) -> list[str]:
    """Returns the words with `--json FILE` as json=FILE. Raises `UserError` where the file is missing."""
    joined = list(words)
    if "--json" in joined:
        place = joined.index("--json")
        if place + 1 == len(joined):
            raise UserError("--json: name the file that gets the figures")
        joined[place : place + 2] = [f"json={joined[place + 1]}"]
    return joined


def write(path: str, content: Mapping[str, Any]) -> None:
    """Writes figures as JSON. Raises `CannotWrite`."""
    write_atomically(Path(path), json.dumps(content, indent=1) + "\n")


def circumstances(asked: Any, device: str, busyness: Busyness) -> dict[str, Any]:
    """Returns what figures depend on: the options, the machine and how busy it was, torch, the day."""
    return {
        "asked": asdict(asked),
        "machine": machine_name(resolve_device(device)),
        "torch": torch.__version__,
        "taken": time.strftime("%Y-%m-%d"),
        "busyness": {**asdict(busyness), "too_busy": busyness.too_busy},
    }


def machine_name(device: torch.device) -> str:
    """Returns the name of the device; of a CPU with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.cpu.get_capabilities().get('cpu_name', 'CPU')}, {torch.get_num_threads()} threads"
