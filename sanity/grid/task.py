"""Defines the tasks of a grid: a search of a mask, the training of a dense network, and that of a ticket.

A task is data: it can be sent to another process, and any process that has the store can run it. Its `name`
identifies its result; tasks of equal name run once, so cells share work. `needs` are the names of the tasks whose
results it reads: dense training -> mask -> ticket training. Whether a task is done is read from the store.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sanity.config.moment import BEST
from sanity.grid import keys, stored
from sanity.grid.cells import NO_CHECK, Cell, CheckSpec
from sanity.grid.experiment import Experiment
from sanity.grid.hashed_once import hashed_once
from sanity.grid.moments import At
from sanity.grid.ticket_source import TicketSource, Weights, dense_source

Moments = frozenset[At]
"""Moments of a training, see `sanity.grid.moments.At`."""
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

    def results(self, experiment: Experiment) -> list[str | Weights]:
        """Returns what must be in the store before it can start: nothing."""
        return []

    def needs(self, experiment: Experiment) -> "frozenset[Name]":
        """Returns the names of the tasks whose results it reads: none."""
        return frozenset()

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

    def results(self, experiment: Experiment) -> list[str | Weights]:
        """Returns what must be in the store before the mask can be computed: keys of masks, and weights of trainings.

        A search that says itself at which moment of a training its mask is drawn needs no moment beforehand.
        """
        scored = [] if self.scored.drawn == self.key else self.scored.results
        matched = self.matched.results(experiment) if self.matched is not None else []
        return [*filter(None, (self.alive, self.reference)), *scored, *matched]

    def needs(self, experiment: Experiment) -> "frozenset[Name]":
        """Returns the names of the tasks whose results it reads."""
        return _names(self.results(experiment))

    def can_start(self, experiment: Experiment) -> bool:
        """Whether the masks and weights that it reads are stored."""
        return all(_is_there(result, experiment) for result in self.results(experiment))

    def is_done(self, experiment: Experiment) -> bool:
        """Whether the mask is stored."""
        return stored.search_record(experiment, self.key) is not None


@hashed_once
@dataclass(frozen=True)
class TicketTraining:
    """Trains a ticket on the data after the checks `data`.

    order: the seed of the data's order and augmentation, where it is not the cell's.
    best: whether the weights of its epoch of the best test accuracy are kept as well.
    """

    source: TicketSource
    data: CheckSpec = NO_CHECK
    order: int | None = None
    best: bool = False

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

    def results(self, experiment: Experiment) -> list[str | Weights]:
        """Returns what must be in the store before the ticket can be made: keys of masks, and weights of trainings."""
        return self.source.results(experiment)

    def needs(self, experiment: Experiment) -> "frozenset[Name]":
        """Returns the names of the tasks whose results it reads."""
        return _names(self.results(experiment))

    def can_start(self, experiment: Experiment) -> bool:
        """Whether the ticket's mask and weights are stored."""
        return all(_is_there(result, experiment) for result in self.results(experiment))

    def is_done(self, experiment: Experiment) -> bool:
        """Whether the training's record and files are stored."""
        return self.can_start(experiment) and not self.missing(experiment)

    def missing(self, experiment: Experiment) -> Moments:
        """Returns the moments whose weights are not stored; its mask and initial weights must be."""
        record = self._record(experiment)
        if record is None:
            return frozenset([None, BEST]) if self.best else TO_THE_END
        if not self.best or record["status"] == "diverged":
            return frozenset()
        return frozenset() if stored.has_file(experiment, self.key_in(experiment), BEST) else frozenset([BEST])

    def _record(self, experiment: Experiment) -> Mapping[str, Any] | None:
        return stored.training_record(experiment, self.key_in(experiment), self.source.digest(experiment), self.seed)


def _names(results: Iterable[str | Weights]) -> "frozenset[Name]":
    """Returns the names of the tasks that make these results: keys of masks, and weights of trainings."""
    return frozenset(result if isinstance(result, str) else _maker(result) for result in results)


def _maker(weights: Weights) -> "Name":
    """Returns the name of the task that sees to weights: their training, or the search that has it go on."""
    if isinstance(weights.training, TicketSource):
        return TicketTraining(weights.training, weights.data, best=weights.at == BEST)
    return weights.drawn or str(weights.training)


def _is_there(result: str | Weights, experiment: Experiment) -> bool:
    """Whether the store has a mask, by its key, or the weights of a training."""
    if isinstance(result, str):
        return stored.search_record(experiment, result) is not None
    maker = _maker(result)
    return maker.is_done(experiment) if isinstance(maker, TicketTraining) else _is_stored(result, experiment)


def _is_stored(weights: Weights, experiment: Experiment) -> bool:
    """Whether these weights of a dense training are stored, or it diverged before them."""
    key, at = str(weights.training), weights.moment(experiment)
    return stored.has_weights(experiment, key, at, weights.data, weights.seed, weights.drawn_by)


Name = str | TicketTraining
"""Identifies a task: the key of a mask or of a dense training, or a ticket training, whose key depends on the mask."""
Training = DenseTraining | TicketTraining
Task = DenseTraining | MaskSearch | TicketTraining
