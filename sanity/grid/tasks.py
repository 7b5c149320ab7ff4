"""Breaks a cell into tasks: a list of searches and trainings, each of which needs only earlier ones."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from methods.base import Method
from methods.moments import rewinds_to, scores_trained
from sanity.config.moment import BEST, iterations
from sanity.grid import keys, stored
from sanity.grid.cells import DENSE, NO_CHECK, SEARCHING, Cell, CheckSpec
from sanity.grid.early_bird import epoch_moments
from sanity.grid.experiment import BEST_ROUNDS, MOMENTS, Experiment
from sanity.grid.moments import At, at, dense_moments, lengths, retrain_epochs, starts_at
from sanity.grid.references import cell_of_counts
from sanity.grid.task import TO_THE_END, DenseTraining, MaskSearch, Moments, Task, TicketTraining, Training
from sanity.grid.ticket_source import TicketSource, Weights


def tasks(cell: Cell, experiment: Experiment) -> tuple[list[Task], Training]:
    """Returns the tasks that a cell needs, in order, and the final training, whose result the cell reports."""
    if cell.method.name == DENSE:
        return [], dense_training(cell.seed, NO_CHECK, TO_THE_END, experiment)
    search, perturbing = _search(cell, experiment), experiment.part(cell, "perturb")
    reference = _reference(perturbing, cell, experiment)
    usual = _search_of_usual_weights(search, cell, experiment)
    perturbed = search.ticket if usual is search else replace(search.ticket, weights=usual.ticket.weights)
    if not perturbing.is_control:
        perturbed = replace(perturbed, perturbed_by=perturbing, reference=reference.ticket.mask)
    control = [] if cell.check.is_control else _control_search(cell, experiment).needed
    end = [dense_training(cell.seed, NO_CHECK, TO_THE_END, experiment)] if experiment.needs_end(perturbing) else []
    needed = [*end, *reference.tasks, *search.needed, *usual.needed, *control]
    return _distinct(needed), ticket_training(perturbed, experiment)


def ticket_training(source: TicketSource, experiment: Experiment) -> TicketTraining:
    """Returns the training of a ticket; where it is also a round whose best epoch a requested cell scores, that one."""
    return TicketTraining(source, best=source in experiment.once(BEST_ROUNDS, lambda: _best_rounds(experiment)))


def _best_rounds(experiment: Experiment) -> frozenset[TicketSource]:
    """Returns the tickets of rounds, on clean data, whose best epoch the next round of a requested cell scores."""
    cells = (cell for cell in experiment.requested if cell.method.name != DENSE)
    scoring = (cell for cell in cells if experiment.altered(cell).scored_at == BEST)
    rounds = (task for cell in scoring for task in own_tasks(cell, experiment) if isinstance(task, TicketTraining))
    return frozenset(task.source for task in rounds if task.best and task.data.is_control)


def _distinct(tasks: Iterable[Task]) -> list[Task]:
    """Returns each task once; a dense training that is there several times goes to all of its moments."""
    by_name: dict[object, Task] = {}
    for task in tasks:
        earlier = by_name.get(task.name)
        if isinstance(earlier, DenseTraining) and isinstance(task, DenseTraining):
            task = replace(earlier, moments=earlier.moments | task.moments)
        by_name[task.name] = task
    return list(by_name.values())


def control_ticket(cell: Cell, experiment: Experiment) -> TicketSource:
    """Returns the ticket of the cell without its check."""
    return _control_search(cell, experiment).ticket


def own_tasks(cell: Cell, experiment: Experiment) -> list[Task]:
    """Returns the searches of a cell, and the trainings that they start from, without those of its control."""
    return [] if cell.method.name == DENSE else _search(cell, experiment).tasks


def counts_tasks(cell: Cell, experiment: Experiment) -> list[Task]:
    """Returns the tasks that find the layer counts of a method that takes them from another; mostly none."""
    counted = None if cell.method.name == DENSE else cell_of_counts(cell)
    return [] if counted is None else own_tasks(counted, experiment)


def own_searches(cell: Cell, experiment: Experiment) -> list[MaskSearch]:
    """Returns the searches of a cell, without those of its control."""
    return [task for task in own_tasks(cell, experiment) if isinstance(task, MaskSearch)]


def dense_training(
    seed: int, data: CheckSpec, moments: Moments, experiment: Experiment, drawn_by: CheckSpec = NO_CHECK
) -> DenseTraining:
    """Returns the training of the unpruned network, whose initialisation `drawn_by` draws, up to these moments."""
    return DenseTraining(keys.dense(seed, data, experiment, drawn_by), seed, data, moments, drawn_by)


def requested_moments(experiment: Experiment) -> Mapping[str, Moments]:
    """Returns for each dense training the moments that the cells of the request need, so that it saves all of them."""
    return experiment.once(MOMENTS, lambda: _requested_moments(experiment.requested, experiment))


def _requested_moments(cells: Iterable[Cell], experiment: Experiment) -> Mapping[str, Moments]:
    moments: dict[str, Moments] = {}
    for cell in cells:
        trainings = list(_dense_trainings(cell, experiment))
        if not trainings or stored.has_ended(experiment, keys.cell(cell, experiment)):
            continue
        for training in trainings:
            moments[training.key] = moments.get(training.key, frozenset()) | training.moments
    for cell in cells:  # a training that others ask for is watched on its way
        if (watched := _watched(cell, experiment)) is not None and (asked := moments.get(watched.key)):
            moments[watched.key] = asked | _on_the_way(asked, watched, experiment)
    return moments


def _watched(cell: Cell, experiment: Experiment) -> DenseTraining | None:
    """Returns the dense training that a cell's method watches, without moments; None for most methods."""
    if cell.method.name == DENSE or experiment.altered(cell).watch is None:
        return None
    data, drawing = experiment.part(cell, "corrupt"), experiment.part(cell, "initialise")
    return dense_training(cell.seed, data, frozenset(), experiment, drawing)


def _on_the_way(moments: Moments, watched: DenseTraining, experiment: Experiment) -> Moments:
    """Returns the ends of all epochs up to the last of these moments."""
    looks = epoch_moments(experiment.recipe.epochs, experiment.steps(watched.data, watched.seed))
    ends = lengths(moments)
    last = max((end for end in ends if end is not None), default=0)
    return frozenset(look for look in looks if None in ends or (look is not None and look <= last))


def _dense_trainings(cell: Cell, experiment: Experiment) -> Iterator[DenseTraining]:
    """Yields the dense trainings that a cell's result, its own search, or its check starts from."""
    if cell.method.name == DENSE or experiment.needs_end(cell.check):
        yield dense_training(cell.seed, NO_CHECK, TO_THE_END, experiment)
    if cell.method.name != DENSE and dense_moments(experiment.altered(cell)):
        yield _start(cell, experiment.altered(cell), experiment)


@dataclass(frozen=True)
class _Search:
    """Holds the tasks that compute a ticket, and the ticket before its check perturbs it.

    of_reference: the tasks that compute the mask whose layer counts it takes, which come first.
    """

    tasks: list[Task]
    ticket: TicketSource
    of_reference: list[Task] = field(default_factory=list)

    @property
    def needed(self) -> list[Task]:
        return [*self.of_reference, *self.tasks]


_NONE = _Search([], TicketSource(0, Weights(0)))


def _search(cell: Cell, experiment: Experiment) -> _Search:
    """Returns the search of a cell. Cells whose checks perturb only the ticket share one search, if counts match."""
    searching = experiment.part(cell, *SEARCHING)
    if experiment.config.match == "counts":
        return _search_under(searching, cell, experiment)
    return _search_under(searching, cell, experiment, experiment.part(cell, "perturb"))


def _search_of_usual_weights(search: _Search, cell: Cell, experiment: Experiment) -> _Search:
    """Returns the search whose ticket has the weights that are retrained: that of the cell, but for the checks that
    search on another initialisation."""
    drawing = experiment.part(cell, "initialise")
    if drawing.is_control:
        return search
    others = tuple(part for part in experiment.part(cell, *SEARCHING).parts if part not in drawing.parts)
    return _search_under(CheckSpec(others) if others else NO_CHECK, cell, experiment)


def _control_search(cell: Cell, experiment: Experiment) -> _Search:
    return _search_under(NO_CHECK, cell, experiment)


def _reference(parts: CheckSpec, cell: Cell, experiment: Experiment) -> _Search:
    """Returns the search of the method that these parts of a check refer to; one without tasks if they do not."""
    spec = None if parts.is_control else experiment.once(("reference", parts), parts.reference)
    return _NONE if spec is None else _control_search(replace(cell, method=spec), experiment)


def _allocating(cell: Cell, experiment: Experiment) -> _Search:
    """Returns the search of the mask whose layer counts the search of `cell` takes; one without tasks if none is."""
    if (counted := cell_of_counts(cell)) is not None:
        return _search_under(counted.check, counted, experiment)
    return _reference(experiment.part(cell, "reallocate"), cell, experiment)


def _search_under(
    searching: CheckSpec, cell: Cell, experiment: Experiment, perturbing: CheckSpec = NO_CHECK
) -> _Search:
    return experiment.once(
        ("search", cell.method, searching, perturbing, cell.ratio, cell.seed),
        lambda: _new_search(Cell(cell.method, searching, cell.ratio, cell.seed), perturbing, experiment),
    )


def _new_search(cell: Cell, perturbing: CheckSpec, experiment: Experiment) -> _Search:
    """Returns the search of `cell`. perturbing: the check before which live weights are counted, with `match=live`."""
    method = experiment.altered(cell)
    data = experiment.part(cell, "corrupt")
    needed: list[Task] = []
    dense = None
    if dense_moments(method):
        dense = _start(cell, method, experiment)
        needed.append(dense)
    trained = scores_trained(method)
    scored = Weights(cell.seed, drawn_by=experiment.part(cell, "initialise"))
    if trained and dense is not None:
        scored = _at(dense, method.scored_at, experiment)
    mask, reference = "", _allocating(cell, experiment)
    of_ticket = _reference(perturbing, cell, experiment)
    ratios = method.ratios(cell.ratio) if trained else [cell.ratio]
    for number, ratio in enumerate(ratios):
        if number:
            best = method.scored_at == BEST
            training = TicketTraining(_ticket(cell, mask, dense, scored, data, experiment, number), data, best=best)
            needed.append(training)
            scored = Weights(cell.seed, training.source, data, BEST if best else None)
        matched, match = None, ""
        if experiment.config.match == "live" and number + 1 == len(ratios):
            counted = _ticket(cell, "", dense, scored, NO_CHECK, experiment, len(ratios))
            matched = replace(counted, perturbed_by=perturbing, reference=of_ticket.ticket.mask)
            match = keys.live_match(perturbing, of_ticket.ticket.mask)
        if method.starts_dense:
            break
        key = keys.mask(cell, experiment, ratio, number, reference.ticket.mask, match)
        if (watched := _watched(cell, experiment)) is not None:
            scored = Weights(cell.seed, watched.key, data, drawn_by=watched.drawn_by, drawn=key)
        needed.append(MaskSearch(key, cell, number, ratio, scored, mask, reference.ticket.mask, matched))
        mask = key
    ticket = _ticket(cell, mask, dense, scored, NO_CHECK, experiment, len(ratios))
    return _Search(needed, ticket, reference.tasks)


def _start(cell: Cell, method: Method, experiment: Experiment) -> DenseTraining:
    """Returns the dense training that the search of a cell starts from."""
    data, seed = experiment.part(cell, "corrupt"), cell.seed
    moments = {_moment(moment, data, seed, experiment) for moment in dense_moments(method)}
    if BEST in moments:  # it is trained to its end for that: the next cell that asks for the end finds it
        moments.add(None)
    return dense_training(seed, data, frozenset(moments), experiment, experiment.part(cell, "initialise"))


def _at(dense: DenseTraining, moment: int | str, experiment: Experiment) -> Weights:
    where = _moment(moment, dense.data, dense.seed, experiment)
    return Weights(dense.seed, dense.key, dense.data, where, dense.drawn_by)


def _moment(moment: int | str, data: CheckSpec, seed: int, experiment: Experiment) -> At:
    return at(moment, experiment.recipe.epochs, experiment.steps(data, seed))


def _ticket(
    cell: Cell,
    mask: str,
    dense: DenseTraining | None,
    scored: Weights,
    data: CheckSpec,
    experiment: Experiment,
    number: int,
) -> TicketSource:
    """Returns the ticket of round `number`: the mask, and the weights and moment that the method rewinds to."""
    method = experiment.altered(cell)
    weights = Weights(cell.seed, drawn_by=experiment.part(cell, "initialise"))
    if dense is not None and rewinds_to(method) != 0:
        weights = _at(dense, rewinds_to(method), experiment)
    elif method.rewind in ("learning_rate", "fine_tune"):
        weights = scored
    elif method.rewind == "redraw":
        weights = Weights(cell.seed, redrawn=number)
    start = starts_at(method, experiment.recipe)
    if not isinstance(start, int):  # whole epochs are stated as integers, so that equal tickets have equal digests
        steps = experiment.steps(data, cell.seed)
        count = iterations(start, experiment.recipe.epochs, steps)
        start = f"{count}it" if count % steps else count // steps
    return TicketSource(
        seed=cell.seed,
        weights=weights,
        mask=mask,
        start=start,
        epochs=retrain_epochs(method, experiment.recipe),
        pattern=method.pattern,
        updates=method.mask_updates(cell.ratio),
        learning_rate=method.retrain_lr,
    )
