"""Watches dense training for a method that draws its mask when it has settled.

Dense training goes on an epoch at a time, from its checkpoint, until the mask is drawn; it is the one that all other
cells of the same data, network, recipe and seed start from.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from methods.base import Method
from methods.moments import Watch
from sanity.grid.experiment import Experiment
from sanity.grid.task import DenseTraining, MaskSearch
from sanity.masks import Mask
from sanity.masks.settling import distances, flat, settled

Find = Callable[[int | None], Mask]
"""Finds the mask of the dense network at a moment, in iterations; None: at its end."""


def epoch_moments(epochs: int, steps: int) -> list[int | None]:
    """Returns the moments at which the mask is looked at: after every epoch, in iterations; None for the last."""
    return [*(epoch * steps for epoch in range(1, epochs)), None]


def training_ahead(search: MaskSearch, experiment: Experiment, find: Find) -> DenseTraining | None:
    """Returns the dense training that must go on before the mask of `search` can be drawn; None where it can."""
    watch, looks = _watch(search, experiment), _looks(search, experiment)
    scored = search.scored
    dense = DenseTraining(str(scored.training), scored.seed, scored.data, frozenset(), scored.drawn_by)
    for count in range(min(watch.window, len(looks)), len(looks) + 1):
        training = replace(dense, moments=frozenset(looks[:count]))
        if not training.is_done(experiment):
            return training
        if settled(_seen(search, experiment, find, looks[:count]), watch.window, watch.distance):
            return None
    return None


def drawn(search: MaskSearch, experiment: Experiment, find: Find) -> tuple[Mask, dict[str, Any]]:
    """Returns the mask of the first epoch in which it has settled, else of the last; and what the record says of it.

    epoch, iteration (None: the end): when it was drawn. emerged: whether it had settled. distances: of the masks of all
    epochs up to then, each from each.
    """
    watch, looks = _watch(search, experiment), _looks(search, experiment)
    emerged = False
    for count in range(1, len(looks) + 1):
        seen = _seen(search, experiment, find, looks[:count])
        if emerged := settled(seen, watch.window, watch.distance):
            break
    facts = {"epoch": len(seen), "iteration": looks[len(seen) - 1], "emerged": emerged, "distances": distances(seen)}
    return find(looks[len(seen) - 1]), facts


def _watch(search: MaskSearch, experiment: Experiment) -> Watch:
    method: Method = experiment.altered(search.cell)
    assert method.watch is not None  # by the callers
    return method.watch


def _looks(search: MaskSearch, experiment: Experiment) -> list[int | None]:
    return epoch_moments(experiment.recipe.epochs, experiment.steps(search.scored.data, search.scored.seed))


def _seen(search: MaskSearch, experiment: Experiment, find: Find, moments: list[int | None]) -> list[Tensor]:
    """Returns the flat masks at these moments, each found once."""
    pattern = experiment.altered(search.cell).kept_together(experiment.initial(search.cell.seed))

    def look(moment: int | None) -> Tensor:
        return experiment.once(("early bird", search.key, moment), lambda: flat(find(moment), pattern))

    return [look(moment) for moment in moments]
