"""Describes the search of a learnt mask as a training of scores, and makes the mask of what came of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from methods.base import Method
from methods.budget import within_budget
from methods.learnt_mask import LearntMask
from methods.moments import scores_trained
from sanity.grid import stored
from sanity.grid.experiment import Experiment
from sanity.grid.passes import Passes
from sanity.grid.references import cell_of_counts
from sanity.grid.search_recipe import search_recipe
from sanity.grid.task import MaskSearch
from sanity.grid.training_batch import run_loop
from sanity.masks import Mask, RankedMask, ties
from sanity.masks.allocation import CountsOf
from sanity.recipes import Recipe
from sanity.seeds import derive, generator
from sanity.training.batches import train_indices
from sanity.training.callbacks import Callbacks
from sanity.training.epochs import steps_per_epoch
from sanity.training.job import LearntScores, TrainingResult, TrainingSpec


def is_training(search: MaskSearch, experiment: Experiment) -> bool:
    """Returns whether a search is one training, which can wait for others and go on beside them.

    With `match=live` it is several, each of which depends on those before.
    """
    return search.matched is None and isinstance(experiment.altered(search.cell), LearntMask)


def method_of(search: MaskSearch, experiment: Experiment) -> Method:
    """Returns the method of a search, with the layer counts of another mask where it or its check asks for them."""
    method = experiment.altered(search.cell)
    if not search.reference:
        return method
    reference = stored.mask(experiment, search.reference)
    if cell_of_counts(search.cell) is not None:
        return method.allocated(CountsOf.of(reference))
    return search.cell.check.build().reallocate(method, reference)


class Learning:
    """The training that learns the mask of a search.

    ratio: of the mask. directory: where its checkpoint is written; None: it starts anew where it was stopped.
    recipe: by which it trains. job: for the training loop.
    """

    def __init__(self, search: MaskSearch, ratio: float, experiment: Experiment, directory: Path | None = None) -> None:
        method = method_of(search, experiment)
        assert isinstance(method, LearntMask)
        self.search, self.ratio, self.method = search, ratio, method
        self.recipe: Recipe = search_recipe(method, experiment.recipe_for_loop)
        seed = search.cell.seed
        net = experiment.loaded(search.scored.load(experiment))
        method.check_feasible(net, ratio)
        source = generator(seed, "score")
        first = method.first_scores(net, derive(source, search.number) if scores_trained(method) else source)
        learns = LearntScores(method.learning(net, ratio), first)
        self.job = TrainingSpec(net, None, seed, directory=directory, learns=learns)

    @property
    def net(self) -> nn.Module:
        """The network with the weights as they were drawn."""
        return self.job.model

    def passes(self, experiment: Experiment) -> Passes:
        """Returns the passes of the whole training, without those of its tests."""
        seen = len(experiment.seen(experiment.part(self.search.cell, "corrupt"), self.search.cell.seed))
        count = len(train_indices(self.search.cell.seed, seen, self.recipe))
        examples = min(count, steps_per_epoch(seen, self.recipe) * self.recipe.batch_size) * self.recipe.epochs
        return Passes(forward=examples, backward=examples)

    def mask(self, result: TrainingResult, experiment: Experiment) -> Mask:
        """Returns the mask that was learnt. Raises `UserError` where the training diverged."""
        if result.diverged_epoch is not None or result.mask is None:
            raise self.method.diverged(result.diverged_epoch or 0)
        mask = within_budget(self.method, self.net, self.ratio, result.mask)
        return self.method.among_alive(mask, stored.mask(experiment, self.search.alive)) if self.search.alive else mask


@dataclass
class LearntAttempts:
    """Learns masks of several ratios for one search (`match=live`), each in a training by itself.

    Masks that were learnt before the search was stopped are read again, and the training at hand goes on from its
    checkpoint. passes: gets what all of them sent through the network. earlier_s: the seconds that they took before.
    """

    search: MaskSearch
    experiment: Experiment
    passes: Passes
    stop: Callable[[], bool]
    earlier_s: float = 0.0

    @property
    def folder(self) -> Path:
        """Holds the checkpoint and the masks so far."""
        return stored.mask_folder(self.experiment, self.search.key)

    def learnt(self, ratio: float) -> Mask:
        """Returns the mask at `ratio`. Raises `Interrupted` if `stop` returns true, `UserError` where it diverged."""
        learning = Learning(self.search, ratio, self.experiment, self.folder)
        self.passes.add(learning.passes(self.experiment))
        path, store = self.folder / f"{stored.ATTEMPT}{ratio!r}.safetensors", self.experiment.store
        facts, layers = store.facts(path), store.load(path)
        if facts is not None and layers is not None:
            self.earlier_s += facts["seconds"]
            ordered = {name: layers[name] for name in learning.method.targets(learning.net)}
            return RankedMask(ordered, ties=facts["ties"])
        began, data = time.perf_counter(), self.experiment.part(self.search.cell, "corrupt")
        seed = self.search.cell.seed
        (result,) = run_loop([learning.job], data, seed, learning.recipe, self.experiment, Callbacks(stop=self.stop))
        self.earlier_s += max(result.wall_s - (time.perf_counter() - began), 0.0)
        learnt_mask = learning.mask(result, self.experiment)
        facts = {"ties": ties(learnt_mask), "seconds": result.wall_s}
        store.save(path, {name: layer.cpu() for name, layer in learnt_mask.items()}, facts)
        (self.folder / "checkpoint.safetensors").unlink(missing_ok=True)
        return learnt_mask

    def forget(self) -> None:
        """Removes the checkpoint and the masks so far, once that of the search is stored."""
        for path in stored.unfinished(self.folder):
            path.unlink(missing_ok=True)
