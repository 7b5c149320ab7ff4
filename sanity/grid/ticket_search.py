"""The search for a ticket: when a method scores, what it sees, and what its ticket is retrained from."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

import torch

from methods.base import Method
from sanity import masks
from sanity.grid import keys
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment, State, Training
from sanity.grid.moments import needs_dense, rewinds_to, scores_trained
from sanity.grid.scoring_batches import scoring_batches
from sanity.masks import Mask
from sanity.recipes import Recipe
from sanity.seeds import derive, generator
from sanity.tickets import Ticket, tied_names
from sanity.training.batches import train_indices
from sanity.training.cpu_threads import fitting


@dataclass(frozen=True)
class Found:
    """A ticket before its check perturbs it, made anew when it is wanted, and the seconds that its search took."""

    ticket: Callable[[], Ticket]
    seconds: float


def dense_epochs(method: Method, recipe: Recipe) -> int:
    """How long the dense network trains that the method starts from: no longer than it is needed."""
    if method.scored_at == "end":
        return recipe.epochs
    scored = 0 if method.scored_at == "init" else int(method.scored_at)
    return max(scored, int(rewinds_to(method)))


def ticket_epochs(method: Method, recipe: Recipe) -> int:
    """How long a ticket of the method is retrained."""
    start = int(method.rewind_epoch) if method.rewind in ("weights", "learning_rate") else 0
    return method.retrain_epochs or recipe.epochs - start


def snapshots(methods: list[Method]) -> frozenset[int]:
    """The epochs of dense training that these methods score or rewind to."""
    scored = {method.scored_at for method in methods if isinstance(method.scored_at, int)}
    rewound = {int(rewinds_to(method)) for method in methods}
    return frozenset(epoch for epoch in scored | rewound if epoch > 0)


def dense_training(cell: Cell, experiment: Experiment, method: Method | None = None) -> Training:
    """The training of the unpruned network: of the cell itself, or the one that the search of `method` starts from."""
    length = experiment.recipe.epochs if method is None else dense_epochs(method, experiment.recipe)
    epochs = length if length < experiment.recipe.epochs else None

    def make() -> Ticket:
        return Ticket(experiment.state(cell.seed), masks.dense(experiment.initial(cell.seed)), epochs=epochs)

    return experiment.training(cell, make(), make, on_seen=method is not None, dense=True)


def search(cell: Cell, method: Method, experiment: Experiment) -> Generator[Training, None, Found]:
    """The ticket of `cell` before it is perturbed. Yields the trainings that it needs; looks up what was found before.

    Raises `UserError` where the method cannot score, e.g. for want of examples or because a score is not finite.
    """
    dense = last = None
    if needs_dense(method):
        dense = last = dense_training(cell, experiment, method)
        yield dense
    targets = method.targets(experiment.initial(cell.seed))
    mask: Mask = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in targets.items()}
    seconds = 0.0
    for number, removed in enumerate(method.ratios(cell.ratio) if scores_trained(method) else [cell.ratio]):
        if number:
            make = partial(_ticket, cell, method, experiment, mask, dense, last)
            last = experiment.training(cell, make(), make, on_seen=True)
            yield last
        mask, spent = _mask(cell, method, experiment, removed, number, mask, last)
        seconds += spent
    return Found(partial(_ticket, cell, method, experiment, mask, dense, last), seconds)


def _mask(
    cell: Cell,
    method: Method,
    experiment: Experiment,
    ratio: float,
    number: int,
    alive: Mask,
    last: Training | None,
) -> tuple[Mask, float]:
    """The mask of one round of training and pruning, or of all rounds of a method that scores the initialisation."""
    trained = scores_trained(method)
    folder = experiment.store.folder("tickets", keys.mask(cell, experiment, ratio, number))
    record, known = experiment.store.read(folder / "ticket.json"), experiment.store.load(folder / "mask.safetensors")
    if record is not None and "seconds" in record and known is not None:
        return known, float(record["seconds"])
    began = time.perf_counter()
    net = experiment.loaded(_scored(cell, method, experiment, last)).to(experiment.device)
    seen = experiment.seen(cell) if cell.check.data_label() and (method.needs_data or trained) else experiment.train
    trained_on = (
        seen.subset(train_indices(cell.seed, len(seen), experiment.recipe)) if experiment.recipe.holdout else seen
    )
    batches = scoring_batches(method, trained_on, experiment.running, generator(cell.seed, "batches"))
    source = generator(cell.seed, "score")
    with fitting(net, experiment.train.input_shape, len(batches[0][0])):
        if trained:
            on_device = {name: layer.to(experiment.device) for name, layer in alive.items()}
            found = method.prune(net, batches, ratio, derive(source, number), on_device)
        else:
            found = method.mask(net, batches, ratio, source)
    mask = {name: layer.cpu() for name, layer in found.items()}
    spent = time.perf_counter() - began
    experiment.store.save(folder / "mask.safetensors", mask)
    facts = {"cell": cell.title, "seconds": spent, "layers": masks.layers(mask), "ties": masks.ties(found)}
    experiment.store.write(folder / "ticket.json", facts)
    return mask, spent


def _scored(cell: Cell, method: Method, experiment: Experiment, last: Training | None) -> State:
    """The weights that are scored: at initialisation, or of the last training at its end or at an epoch."""
    if last is None or not scores_trained(method):
        return experiment.state(cell.seed)
    return experiment.weights(last, last.epochs if method.scored_at == "end" else int(method.scored_at))


def _ticket(
    cell: Cell,
    method: Method,
    experiment: Experiment,
    mask: Mask,
    dense: Training | None,
    last: Training | None,
) -> Ticket:
    """The mask with the weights and the point of the schedule that the method rewinds to."""
    start, epochs, back = 0, method.retrain_epochs, int(method.rewind_epoch)
    if rewinds_to(method) and dense is not None:
        weights, start = experiment.weights(dense, int(rewinds_to(method))), back
    elif method.rewind == "learning_rate":
        weights, start = _scored(cell, method, experiment, last), back
    elif method.rewind == "fine_tune":
        weights, start = _scored(cell, method, experiment, last), experiment.recipe.epochs
        epochs = epochs or experiment.recipe.epochs
    else:
        weights = experiment.state(cell.seed)
    tied = tied_names(experiment.initial(cell.seed))
    return Ticket(weights, mask, start, epochs, experiment.fresh, tied, method.pattern)
