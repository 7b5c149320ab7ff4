"""Tells on what a benchmark's figures were taken: the device, torch, the day."""

import time
from dataclasses import asdict
from typing import Any

import torch

from sanity.bench.busyness import Busyness
from sanity.store.environment import describe
from sanity.training.precision import resolve_device


def circumstances(asked: Any, device: str, busyness: Busyness) -> dict[str, Any]:
    """Returns what figures depend on: the options, the machine and how busy it was, torch, the day."""
    return {
        "asked": asdict(asked),
        "machine": describe(resolve_device(device)),
        "torch": torch.__version__,
        "taken": time.strftime("%Y-%m-%d"),
        "busyness": {**asdict(busyness), "too_busy": busyness.too_busy},
    }
