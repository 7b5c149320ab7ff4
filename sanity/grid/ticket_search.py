"""Computes a mask: scores a network on the data after the check, and prunes it."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from methods.base import Method
from methods.learnt_mask import LearntMask
from methods.moments import scores_trained
from methods.scoring_copy import remember_start
from sanity import masks
from sanity.data.dataset import Dataset
from sanity.grid import stored
from sanity.grid.cells import Cell
from sanity.grid.early_bird import Find, drawn, training_ahead
from sanity.grid.experiment import Experiment
from sanity.grid.live_match import matched
from sanity.grid.mask_learning import LearntAttempts, method_of
from sanity.grid.passes import Passes, counted
from sanity.grid.scoring_batches import scoring_batches
from sanity.grid.task import DenseTraining, MaskSearch
from sanity.grid.ticket_source import Weights
from sanity.masks import Mask
from sanity.masks.repeated import repeat_differs
from sanity.masks.solved import solver
from sanity.seeds import derive, generator
from sanity.training.batches import train_indices
from sanity.training.cpu_threads import fitting


def find_mask(search: MaskSearch, experiment: Experiment, stop: Callable[[], bool] = lambda: False) -> None:
    """Computes the mask of a search and stores it.

    stop: asked by a search that trains; once it says so, `Interrupted` is raised, and the search goes on when it is
        started again.

    Raises `UserError` if the method cannot score, e.g. because examples are too few or a score is not finite.
    """
    began = time.perf_counter()
    method, passes = method_of(search, experiment), Passes()
    further: dict[str, Any] = {}
    attempts = LearntAttempts(search, experiment, passes, stop)
    if isinstance(method, LearntMask):
        mask = _met(attempts.learnt, search, method, experiment, _alive(search, method, experiment))
    elif method.watch is None:
        mask = _mask(search, experiment, passes)
    else:
        passes = _while_watching(search, experiment)
        mask, further["early_bird"] = drawn(search, experiment, finder(search, experiment))
    save_mask(search, mask, time.perf_counter() - began + attempts.earlier_s, passes, experiment, **further)
    attempts.forget()


def save_mask(
    search: MaskSearch, mask: Mask, seconds: float, passes: Passes, experiment: Experiment, **further: Any
) -> None:
    """Stores the mask of a search and its record, which also says what `further` does."""
    folder = stored.mask_folder(experiment, search.key)
    experiment.store.save(folder / "mask.safetensors", {name: layer.cpu() for name, layer in mask.items()})
    facts = {"cell": search.cell.title, "seconds": seconds, "layers": masks.layers(mask), "ties": masks.ties(mask)}
    if (differs := repeat_differs(mask)) is not None:
        facts["repeat_differs"] = differs
        passes = passes.shared_by(2)  # it was called again to see whether it repeats
    if (solved := solver(mask)) is not None:
        facts["solver"] = solved
    facts["passes"] = passes.as_dict()
    experiment.store.write(folder / "ticket.json", {**facts, **further})


def needs_training(search: MaskSearch, experiment: Experiment) -> DenseTraining | None:
    """Returns the dense training that must go on before a mask that is drawn early can be; None where none must."""
    if experiment.altered(search.cell).watch is None:
        return None
    return training_ahead(search, experiment, finder(search, experiment))


def finder(search: MaskSearch, experiment: Experiment) -> Find:
    """Returns what finds the mask of a search in the dense network of a moment."""

    def find(at: int | None) -> Mask:
        at_moment = replace(search, scored=replace(search.scored, at=at, drawn=""))
        return _mask(at_moment, experiment, _while_watching(search, experiment))

    return find


def _while_watching(search: MaskSearch, experiment: Experiment) -> Passes:
    """Returns the passes of all masks that are looked at until one has settled."""
    return experiment.once(("passes", search.key), Passes)


def examples_for_scoring(cell: Cell, method: Method, experiment: Experiment) -> Dataset:
    """Returns the training set of a search: after its data check, without the examples that the recipe holds out."""
    looks = method.needs_data or scores_trained(method)
    seen = experiment.seen(experiment.part(cell, "corrupt"), cell.seed) if looks else experiment.train
    if not experiment.recipe.holdout:
        return seen
    return seen.subset(train_indices(cell.seed, len(seen), experiment.recipe))


def _mask(search: MaskSearch, experiment: Experiment, passes: Passes) -> Mask:
    """Returns the mask of a search; adds what it sends through the network to `passes`."""
    method, cell = method_of(search, experiment), search.cell
    alive = _alive(search, method, experiment)
    net = experiment.loaded(search.scored.load(experiment)).to(experiment.device)
    if method.needs_start:
        remember_start(net, Weights(cell.seed, drawn_by=experiment.part(cell, "initialise")).load(experiment))
    examples = examples_for_scoring(cell, method, experiment)
    batches = scoring_batches(method, examples, experiment.recipe_for_loop, generator(cell.seed, "batches"))

    def find(ratio: float) -> Mask:
        source = generator(cell.seed, "score")
        if scores_trained(method):
            return method.prune(net, batches, ratio, derive(source, search.number), alive)
        return method.mask(net, batches, ratio, source)

    with fitting(net, experiment.train.input_shape, len(batches[0][0])), counted(net, passes):
        return _met(find, search, method, experiment, alive)


def _met(
    find: Callable[[float], Mask], search: MaskSearch, method: Method, experiment: Experiment, alive: Mask
) -> Mask:
    """Returns the mask that `find` returns for a ratio: the search's own, or one that makes live weights match."""
    if search.matched is None:
        return find(search.ratio)
    return matched(find, method, search.ratio, search.matched, experiment, alive)


def _alive(search: MaskSearch, method: Method, experiment: Experiment) -> Mask:
    """Returns the mask of the previous round on the run's device; all ones in the first."""
    if search.alive:
        mask = stored.mask(experiment, search.alive)
    else:
        targets = method.targets(experiment.initial(search.cell.seed))
        mask = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in targets.items()}
    return {name: layer.to(experiment.device) for name, layer in mask.items()}
