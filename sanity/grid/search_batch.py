"""Runs a batch of searches that are trainings at once and stores the mask of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from methods.learnt_mask import LearntMask
from sanity.errors import UserError
from sanity.grid import stored
from sanity.grid.cells import CheckSpec
from sanity.grid.experiment import Experiment
from sanity.grid.mask_learning import Learning, method_of
from sanity.grid.progress import Reporter
from sanity.grid.search_recipe import search_recipe
from sanity.grid.task import TO_THE_END, MaskSearch, Moments
from sanity.grid.ticket_search import save_mask
from sanity.grid.training_batch import run_loop
from sanity.recipes import Recipe
from sanity.training.callbacks import Callbacks
from sanity.training.job import TrainingResult, curve_table


@dataclass(frozen=True)
class PlannedSearch:
    """Describes a search that can start, as `PlannedTraining` does a training.

    recipe: by which its scores are trained. data: the checks that corrupt its data.
    """

    kind: ClassVar[str] = "tickets"
    moments: ClassVar[Moments] = TO_THE_END
    sparse: ClassVar[bool] = False

    key: str
    title: str
    search: MaskSearch
    data: CheckSpec
    recipe: Recipe

    @property
    def sees(self) -> tuple[object, ...]:
        """Identifies its data and recipe; searches that run at once must share them."""
        return self.data, 0 if self.data.is_control else self.search.cell.seed, self.recipe


def planned_search(search: MaskSearch, title: str, experiment: Experiment) -> PlannedSearch:
    """Plans a search. Raises `UserError` if a mask that it refers to is damaged."""
    method = method_of(search, experiment)
    assert isinstance(method, LearntMask)
    data = experiment.part(search.cell, "corrupt")
    return PlannedSearch(search.key, title, search, data, search_recipe(method, experiment.recipe_for_loop))


def search_batch(
    batch: Sequence[PlannedSearch], experiment: Experiment, reporter: Reporter, stop: Callable[[], bool]
) -> dict[str, UserError]:
    """Runs a batch at once and stores each mask when it is found; returns the errors of those that failed, by key.

    Raises `Interrupted` if `stop` returns true; the searches go on from their checkpoints when they are started again.
    """
    errors: dict[str, UserError] = {}
    folders = [stored.mask_folder(experiment, plan.key) for plan in batch]
    pairs = zip(batch, folders, strict=True)
    learnings = [Learning(plan.search, plan.search.ratio, experiment, folder) for plan, folder in pairs]

    def progress(number: int, row: dict[str, Any]) -> None:
        reporter.searched(batch[number].title, row, batch[number].recipe.epochs)

    def finished(number: int, result: TrainingResult) -> None:
        try:
            mask = learnings[number].mask(result, experiment)
        except UserError as error:
            errors[batch[number].key] = error
            return
        experiment.store.write_text(folders[number] / "curve.csv", curve_table(result.curve))
        passes = learnings[number].passes(experiment)
        save_mask(batch[number].search, mask, result.wall_s, passes, experiment, learnt=_about(result))
        (folders[number] / "checkpoint.safetensors").unlink(missing_ok=True)

    jobs = [learning.job for learning in learnings]
    first = batch[0]
    callbacks = Callbacks(progress, finished, stop)
    run_loop(jobs, first.data, first.search.cell.seed, first.recipe, experiment, callbacks)
    return errors


def _about(result: TrainingResult) -> dict[str, Any]:
    """Returns what the record of a mask says of the training that learnt it; its curve is a file."""
    return {
        "epochs": len(result.curve),
        "precision": result.precision,
        "device": result.device,
        "stacked": result.stacked,
        "resumed_from": result.resumed_from,
    }
