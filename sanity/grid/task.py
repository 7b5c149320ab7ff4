"""Defines the tasks of a grid: a search of a mask, the training of a dense network, and that of a ticket.

A task is data. Its `name` identifies its result; tasks of equal name run once, so cells share work. Whether a task
is done is read from the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sanity.grid import keys, stored
from sanity.grid.cells import NO_CHECK, Cell, CheckSpec
from sanity.grid.experiment import Experiment
from sanity.grid.ticket_source import TicketSource, Weights, dense_source

Moments = frozenset[int | None]
"""Moments of a training in iterations; None is its end."""
TO_THE_END: Moments = frozenset([None])


@dataclass(frozen=True)
class DenseTraining:
    """Trains the unpruned network up to the moments that a cell needs, on the data after the checks `data`."""

    key: str
    seed: int
    data: CheckSpec
    moments: Moments
    drawn_by: CheckSpec = NO_CHECK

    @property
    def name(self) -> str:
        """Identifies the result, which is stored under this key."""
        return self.key

    @property
    def source(self) -> TicketSource:
        """The unpruned network as a ticket source."""
        return dense_source(self.seed, self.drawn_by)

    def is_done(self, experiment: Experiment) -> bool:
        """Whether the weights at all its moments are stored, or it diverged before them."""
        return not self.missing(experiment, self.moments)

    def missing(self, experiment: Experiment, moments: Moments) -> Moments:
        """Returns the moments whose weights are not stored."""
        stands_for = Weights(self.seed, self.key, self.data, drawn_by=self.drawn_by)
        return frozenset(at for at in moments if not _is_stored(replace(stands_for, at=at), experiment))


@dataclass(frozen=True)
class MaskSearch:
    """Computes the mask of a cell, or of one of its rounds of training and pruning.

    number: the round. ratio: the fraction of all weights pruned after it. scored: the weights that are scored.
    alive: the key of the previous round's mask; empty in the first round.
    reference: the key of the mask of the method that the check refers to; empty if it refers to none.
    matched: the ticket whose live weights are to meet the budget (`match=live`); None: the kept weights do.
    """

    key: str
    cell: Cell
    number: int
    ratio: float
    scored: Weights
    alive: str
    reference: str = ""
    matched: TicketSource | None = None

    @property
    def name(self) -> str:
        """Identifies the result, which is stored under this key."""
        return self.key

    def is_done(self, experiment: Experiment) -> bool:
        """Whether the mask is stored."""
        return stored.search_record(experiment, self.key) is not None


@dataclass(frozen=True)
class TicketTraining:
    """Trains a ticket on the data after the checks `data`.

    order: the seed of the data's order and augmentation, where it is not the cell's.
    """

    source: TicketSource
    data: CheckSpec = NO_CHECK
    order: int | None = None

    @property
    def name(self) -> "TicketTraining":
        """Identifies the result. The key cannot: it depends on the mask, which is computed later."""
        return self

    @property
    def seed(self) -> int:
        """The seed of the training: of the data's order and augmentation."""
        return self.source.seed if self.order is None else self.order

    def key_in(self, experiment: Experiment) -> str:
        """Returns the key of the training. Raises `UserError` if the mask or the initial weights are not stored."""
        return keys.ticket(self.source.digest(experiment), self.seed, self.data, experiment)

    def can_start(self, experiment: Experiment) -> bool:
        """Whether the ticket's mask and weights are stored."""
        start = self.source.weights
        masks = filter(None, (self.source.mask, self.source.reference))
        if any(stored.search_record(experiment, mask) is None for mask in masks):
            return False
        if self.source.perturbed_by.needs_end() and not _is_stored(self.source.end(experiment), experiment):
            return False
        if isinstance(start.training, TicketSource):
            return TicketTraining(start.training, start.data).is_done(experiment)
        return start.training is None or _is_stored(start, experiment)

    def is_done(self, experiment: Experiment) -> bool:
        """Whether the training's record and files are stored."""
        if not self.can_start(experiment):
            return False
        return self._record(experiment) is not None

    def _record(self, experiment: Experiment) -> Mapping[str, Any] | None:
        return stored.training_record(experiment, self.key_in(experiment), self.source.digest(experiment), self.seed)


def _is_stored(weights: Weights, experiment: Experiment) -> bool:
    """Whether these weights of a dense training are stored, or it diverged before them."""
    usual, key = weights.drawn_by.is_control, str(weights.training)
    digest = None if usual else dense_source(weights.seed, weights.drawn_by).digest(experiment)
    return stored.has_weights(experiment, key, weights.moment(experiment), weights.data, weights.seed, digest)


Training = DenseTraining | TicketTraining
Task = DenseTraining | MaskSearch | TicketTraining
