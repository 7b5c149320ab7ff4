"""Reads and writes one ticket's share of a tensor that holds the values of one or several tickets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Shares(Protocol):
    """A tensor on the device, by the tickets whose values it holds."""

    def read(self, ticket: int) -> Tensor:
        """Returns a copy of the ticket's share on the CPU, in the shape that it has in a network of its own."""

    def write(self, ticket: int, value: Tensor) -> None:
        """Puts a `value` of that shape in the place of the ticket's share."""


@dataclass(frozen=True)
class Single:
    """The tensor of one ticket, or a value that all tickets have in common: an optimizer's count of its steps."""

    tensor: Tensor

    def read(self, ticket: int) -> Tensor:
        """See `Shares`."""
        return on_cpu(self.tensor)

    def write(self, ticket: int, value: Tensor) -> None:
        """See `Shares`."""
        self.tensor.copy_(value)


@dataclass(frozen=True)
class Stacked:
    """A tensor of shape (tickets, ...)."""

    tensor: Tensor

    def read(self, ticket: int) -> Tensor:
        """See `Shares`."""
        return on_cpu(self.tensor[ticket])

    def write(self, ticket: int, value: Tensor) -> None:
        """See `Shares`."""
        self.tensor[ticket].copy_(value)


@dataclass(frozen=True)
class SparseStacked:
    """The kept entries of several matrices of one `shape`, a ticket's after the other's: (kept,).

    places: where a ticket's entries stand in its matrix, flattened, a tensor a ticket.
    """

    tensor: Tensor
    places: Sequence[Tensor]
    shape: torch.Size

    def read(self, ticket: int) -> Tensor:
        """See `Shares`; zero where an entry is pruned."""
        whole = self.tensor.new_zeros(self.shape)
        whole.view(-1)[self.places[ticket]] = self._part(ticket)
        return on_cpu(whole)

    def write(self, ticket: int, value: Tensor) -> None:
        """See `Shares`; pruned entries of `value` are dropped."""
        self._part(ticket).copy_(value.flatten()[self.places[ticket].to(value.device)])

    def _part(self, ticket: int) -> Tensor:
        return self.tensor.split([len(places) for places in self.places])[ticket]


def on_cpu(tensor: Tensor) -> Tensor:
    """Returns a copy of its own on the CPU, densely packed whatever the memory format on the device."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
