"""Breaks a cell into tasks: a short list of searches and trainings, each of which needs only those before it.

A task is data. Its `name` tells what it makes, so tasks of one name are one task: this is how cells share. Whether it
is done is read from the store.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from methods.base import Method
from sanity.grid import keys, stored
from sanity.grid.cells import DENSE, NO_CHECK, Cell, CheckSpec
from sanity.grid.experiment import Experiment
from sanity.grid.moments import dense_moments, retrain_epochs, rewinds_to, scores_trained, starts_at
from sanity.grid.ticket_source import TicketSource, Weights
from sanity.moment import END, iterations

Moments = frozenset[int | None]
"""Moments of a training in iterations; None is its end."""


@dataclass(frozen=True)
class DenseTraining:
    """Trains the unpruned network up to the moments that a cell needs; `data`: the checks whose data it sees."""

    key: str
    seed: int
    data: CheckSpec
    moments: Moments

    @property
    def name(self) -> str:
        """What it makes."""
        return self.key

    @property
    def source(self) -> TicketSource:
        """The unpruned network, as the ticket that it is."""
        return TicketSource(self.seed, Weights(self.seed))

    def is_done(self, experiment: Experiment) -> bool:
        """Whether the weights at all its moments are there, or it diverged before."""
        return not self.missing(experiment, self.moments)

    def missing(self, experiment: Experiment, moments: Moments) -> Moments:
        """Those of the moments whose weights are not there."""
        return frozenset(at for at in moments if not stored.has_weights(experiment, self.key, at, self.data, self.seed))


@dataclass(frozen=True)
class MaskSearch:
    """Finds the mask of a cell, or that of one of its rounds of training and pruning.

    number: of the round. ratio: of all weights that are gone after it. scored: the weights that are scored.
    alive: the key of the mask of the round before; empty in the first.
    """

    key: str
    cell: Cell
    number: int
    ratio: float
    scored: Weights
    alive: str

    @property
    def name(self) -> str:
        """What it makes."""
        return self.key

    def is_done(self, experiment: Experiment) -> bool:
        """Whether the mask is there."""
        return stored.search_record(experiment, self.key) is not None


@dataclass(frozen=True)
class TicketTraining:
    """Trains a ticket; `data`: the checks whose data it sees."""

    source: TicketSource
    data: CheckSpec = NO_CHECK

    @property
    def name(self) -> "TicketTraining":
        """What it makes: its key is known once the mask is there."""
        return self

    @property
    def seed(self) -> int:
        """The seed of the cell."""
        return self.source.seed

    def key_in(self, experiment: Experiment) -> str:
        """The key of the training. Raises `UserError` where the mask, or the weights to start from, are not there."""
        return self.source.training_key(self.data, experiment)

    def can_start(self, experiment: Experiment) -> bool:
        """Whether all that the ticket is made of is there."""
        start = self.source.weights
        if self.source.mask and stored.search_record(experiment, self.source.mask) is None:
            return False
        if isinstance(start.training, TicketSource):
            return TicketTraining(start.training, start.data).is_done(experiment)
        return start.training is None or stored.has_weights(
            experiment, start.training, start.at, start.data, start.seed
        )

    def is_done(self, experiment: Experiment) -> bool:
        """Whether its record is there, with all that belongs to it."""
        if not self.can_start(experiment):
            return False
        return self._record(experiment) is not None

    def _record(self, experiment: Experiment) -> Mapping[str, Any] | None:
        return stored.training_record(experiment, self.key_in(experiment), self.source.digest(experiment), self.seed)


Training = DenseTraining | TicketTraining
Task = DenseTraining | MaskSearch | TicketTraining


def tasks(cell: Cell, experiment: Experiment) -> tuple[list[Task], Training]:
    """The tasks that a cell needs, in order, and then the training that its record tells of."""
    if cell.method.name == DENSE:
        return [], dense_training(cell.seed, NO_CHECK, frozenset([None]), experiment)
    search, perturbing = _search(cell, experiment), experiment.part(cell, "perturb")
    perturbed = search.ticket if perturbing.is_control else replace(search.ticket, perturbed_by=perturbing)
    final = TicketTraining(perturbed)
    control = [] if cell.check.is_control else _control_search(cell, experiment).tasks
    return list({task.name: task for task in [*search.tasks, *control]}.values()), final


def control_ticket(cell: Cell, experiment: Experiment) -> TicketSource:
    """The ticket of the cell without its check."""
    return _control_search(cell, experiment).ticket


def own_searches(cell: Cell, experiment: Experiment) -> list[MaskSearch]:
    """The searches of a cell without those of its control."""
    if cell.method.name == DENSE:
        return []
    return [task for task in _search(cell, experiment).tasks if isinstance(task, MaskSearch)]


def dense_training(seed: int, data: CheckSpec, moments: Moments, experiment: Experiment) -> DenseTraining:
    """The training of the unpruned network up to these moments."""
    return DenseTraining(keys.dense(seed, data, experiment), seed, data, moments)


def requested_moments(experiment: Experiment) -> Mapping[str, Moments]:
    """The moments of each dense training that any cell of the request needs, so that one training keeps them all."""
    return experiment.once("requested moments", lambda: _requested_moments(experiment.requested, experiment))


def _requested_moments(cells: Iterable[Cell], experiment: Experiment) -> Mapping[str, Moments]:
    moments: dict[str, Moments] = {}
    for cell in cells:
        if not _starts_from_dense(cell, experiment) or stored.has_ended(experiment, keys.cell(cell, experiment)):
            continue
        if cell.method.name == DENSE:
            training = dense_training(cell.seed, NO_CHECK, frozenset([None]), experiment)
        else:
            training = _start(cell, experiment.altered(cell), experiment)
        moments[training.key] = moments.get(training.key, frozenset()) | training.moments
    return moments


def _starts_from_dense(cell: Cell, experiment: Experiment) -> bool:
    return cell.method.name == DENSE or bool(dense_moments(experiment.altered(cell)))


@dataclass(frozen=True)
class _Search:
    """The tasks that find a ticket, and the ticket before its check perturbs it."""

    tasks: list[Task]
    ticket: TicketSource


def _search(cell: Cell, experiment: Experiment) -> _Search:
    """The search of a cell, made once for cells whose checks perturb nothing but the ticket."""
    return _search_under(experiment.part(cell, "corrupt", "alter"), cell, experiment)


def _control_search(cell: Cell, experiment: Experiment) -> _Search:
    return _search_under(NO_CHECK, cell, experiment)


def _search_under(searching: CheckSpec, cell: Cell, experiment: Experiment) -> _Search:
    return experiment.once(
        ("search", cell.method, searching, cell.ratio, cell.seed),
        lambda: _new_search(replace(cell, check=searching), experiment),
    )


def _new_search(cell: Cell, experiment: Experiment) -> _Search:
    method = experiment.altered(cell)
    data = experiment.part(cell, "corrupt")
    found: list[Task] = []
    dense = None
    if dense_moments(method):
        dense = _start(cell, method, experiment)
        found.append(dense)
    trained = scores_trained(method)
    scored = Weights(cell.seed)
    if trained and dense is not None:
        scored = _at(dense, method.scored_at, experiment)
    mask = ""
    for number, ratio in enumerate(method.ratios(cell.ratio) if trained else [cell.ratio]):
        if number:
            training = TicketTraining(_ticket(cell, method, mask, dense, scored, data, experiment), data)
            found.append(training)
            scored = Weights(cell.seed, training.source, data)
        key = keys.mask(cell, experiment, ratio, number)
        found.append(MaskSearch(key, cell, number, ratio, scored, mask))
        mask = key
    return _Search(found, _ticket(cell, method, mask, dense, scored, NO_CHECK, experiment))


def _start(cell: Cell, method: Method, experiment: Experiment) -> DenseTraining:
    """The dense training that the search of a cell starts from."""
    data, seed = experiment.part(cell, "corrupt"), cell.seed
    moments = frozenset(_iterations(moment, data, seed, experiment) for moment in dense_moments(method))
    return dense_training(seed, data, moments, experiment)


def _at(dense: DenseTraining, moment: int | str, experiment: Experiment) -> Weights:
    at = _iterations(moment, dense.data, dense.seed, experiment)
    return Weights(dense.seed, dense.key, dense.data, at)


def _iterations(moment: int | str, data: CheckSpec, seed: int, experiment: Experiment) -> int | None:
    """The moment of a dense training in iterations; None for its end."""
    epochs = experiment.recipe.epochs
    if moment in (END, epochs):
        return None
    steps = experiment.steps(data, seed)
    at = iterations(moment, epochs, steps)
    return None if at >= epochs * steps else at


def _ticket(
    cell: Cell,
    method: Method,
    mask: str,
    dense: DenseTraining | None,
    scored: Weights,
    data: CheckSpec,
    experiment: Experiment,
) -> TicketSource:
    """The mask with the weights and the moment of the schedule that the method rewinds to; trained on `data`."""
    weights = Weights(cell.seed)
    if dense is not None and rewinds_to(method) != 0:
        weights = _at(dense, rewinds_to(method), experiment)
    elif method.rewind in ("learning_rate", "fine_tune"):
        weights = scored
    start = starts_at(method, experiment.recipe)
    if not isinstance(start, int):  # a whole epoch is written as one, so that equal tickets have one digest
        steps = experiment.steps(data, cell.seed)
        at = iterations(start, experiment.recipe.epochs, steps)
        start = f"{at}it" if at % steps else at // steps
    return TicketSource(
        seed=cell.seed,
        weights=weights,
        mask=mask,
        start=start,
        epochs=retrain_epochs(method, experiment.recipe),
        pattern=method.pattern,
    )
