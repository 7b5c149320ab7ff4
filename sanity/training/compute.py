"""Says on what networks train, and in which arithmetic."""

from dataclasses import dataclass, replace

import torch

from sanity.training.precision import resolve, resolve_device


@dataclass(frozen=True)
class Compute:
    """Describes device and arithmetic of trainings.

    device, precision: by name, or auto. precision is that of training and testing.
    deterministic: a repeat on this machine is bit-equal, however often interrupted and in whatever company.
    runs_per_device: how many trainings, or stacks of fully connected ones, go on at a time; None: on a GPU what memory
        and a measurement say (one with `deterministic`), on a CPU one, or one a thread where layers are small. Networks
        with dropout train one at a time, since they draw from one generator.
    """

    device: str | torch.device = "auto"
    precision: str = "auto"
    deterministic: bool = False
    runs_per_device: int | None = None

    @property
    def hardware(self) -> torch.device:
        """The device itself. Raises `UserError` for one that this machine does not have."""
        return resolve_device(self.device)

    def resolved(self) -> "Compute":
        """Returns the same with device and precision in place of `auto`. Raises `UserError` for unknown ones."""
        return replace(self, device=self.hardware, precision=resolve(self.precision, self.hardware))
