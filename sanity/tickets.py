"""What a method returns and a retraining needs: weights to start from, a mask, a point of the schedule to start at."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ticket:
    """A sparse network before its retraining (initial, random, partially-trained or hybrid; Su et al. 2020).

    weights: the whole state dict, buffers included, pruned weights at any value (training starts them at zero).
    mask: parameter name -> boolean tensor of the weight's shape, true where the weight is kept.
    start_epoch: position on the recipe's schedule where retraining begins.
    epochs: how long it retrains; None trains to the end of the schedule.
    fresh: draws the whole network anew from the distribution of its initialisation (the `reinit` check needs it).
    """

    weights: Mapping[str, Tensor]
    mask: Mapping[str, Tensor]
    start_epoch: int = 0
    epochs: int | None = None
    fresh: Callable[[torch.Generator], Mapping[str, Tensor]] | None = None

    def start(self) -> dict[str, Tensor]:
        """The state dict that training starts from: `weights` with the pruned ones at zero."""
        return {
            name: weight.masked_fill(~self.mask[name], 0) if name in self.mask else weight
            for name, weight in self.weights.items()
        }

    def digest(self) -> str:
        """A hash of everything that retraining sees; tickets of one digest train to the same network."""
        summary = hashlib.sha256(f"{self.start_epoch}/{self.epochs}".encode())
        start = self.start()
        for name in sorted(start):
            summary.update(f"{name}/{tuple(start[name].shape)}/{start[name].dtype}".encode())
            summary.update(start[name].detach().cpu().contiguous().numpy().tobytes())
        for name in sorted(self.mask):
            summary.update(name.encode() + self.mask[name].cpu().contiguous().numpy().tobytes())
        return summary.hexdigest()
