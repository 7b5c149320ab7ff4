"""Says how much smaller and faster networks are without the channels that a method removed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from reports.runs import Runs

NAN = math.nan
_WORKS = ("forward", "step")


@dataclass(frozen=True)
class Smaller:
    """What the networks of a cell have, without their removed channels, of the whole ones.

    parameters, operations: shares, means over the runs. forward, step: how many times as fast a forward pass and a
    training step are as those of the masked network, medians over the runs; NaN where no record says it. batch: images
    at a time. devices: where that was measured.
    """

    parameters: float
    operations: float
    forward: float = NAN
    step: float = NAN
    batch: int = 0
    devices: tuple[str, ...] = ()

    @classmethod
    def of(cls, done: Runs) -> "Smaller | None":
        """Returns what the records of a cell say; None where no ticket lost whole channels."""
        sizes = [size for size in done["small"] if isinstance(size, Mapping)]
        if not sizes:
            return None
        shares = {name: [size[name] / size[f"dense_{name}"] for size in sizes] for name in ("parameters", "flops")}
        parameters, operations = (sum(values) / len(values) for values in shares.values())
        speeds = [size["speed"] for size in sizes if "speed" in size]
        if not speeds:
            return cls(parameters, operations)
        forward, step = (
            median(speed[f"masked_{work}_s"] / speed[f"small_{work}_s"] for speed in speeds) for work in _WORKS
        )
        devices = tuple(dict.fromkeys(speed["device"] for speed in speeds))
        return cls(parameters, operations, forward, step, int(speeds[0]["batch"]), devices)
