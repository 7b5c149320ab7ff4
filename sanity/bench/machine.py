"""Tells on what a benchmark's figures were taken: the device, torch, the day."""

import time
from dataclasses import asdict
from typing import Any

import torch

from sanity.bench.busyness import Busyness
from sanity.training.precision import resolve_device


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
