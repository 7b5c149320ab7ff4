"""Adds up what the search of a cell takes, in gradients: passes of its searches, and trainings that they start from."""

from typing import Any

from sanity.grid import stored
from sanity.grid.cells import DENSE, Cell, CheckSpec
from sanity.grid.experiment import Experiment
from sanity.grid.moments import known_after, lengths
from sanity.grid.passes import Passes
from sanity.grid.task import TO_THE_END, DenseTraining, MaskSearch, Moments, Training
from sanity.grid.tasks import counts_tasks, own_tasks, tasks
from sanity.grid.training_batch import epochs


def search_cost(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns what the search of a cell and its own training take; all searches must have ended.

    passes: examples forward, backward and back through backward passes (`sanity.grid.passes`), of all rounds; None
        where they are not known: of a mask from a file, or of a search that an older version made.
    gradients: that of these passes. before: gradients of the trainings that the searches start from, each counted whole
        though cells share it. training: of the cell's own training. schedule: of a dense training to its end.
    """
    _, final = tasks(cell, experiment)
    own = [] if cell.method.name == DENSE else [*counts_tasks(cell, experiment), *own_tasks(cell, experiment)]
    searches = [task for task in own if isinstance(task, MaskSearch)]
    trainings = [task for task in own if not isinstance(task, MaskSearch)]
    passes = None if _reads_files(cell, experiment) else _passes(searches, experiment)
    per_epoch = _examples(final.data, final.seed, experiment)
    return {
        "passes": passes and passes.as_dict(),
        "gradients": passes and passes.gradients,
        "before": sum(_gradients(task, experiment) for task in trainings) + _watched(searches, experiment),
        "training": _gradients(final, experiment),
        "schedule": float(experiment.recipe.epochs * per_epoch),
    }


def _reads_files(cell: Cell, experiment: Experiment) -> bool:
    return cell.method.name != DENSE and experiment.altered(cell).reads_files


def _passes(searches: list[MaskSearch], experiment: Experiment) -> Passes | None:
    """Returns the passes of all searches together; None where one does not say them."""
    total = Passes()
    for search in searches:
        counts = (stored.search_record(experiment, search.key) or {}).get("passes")
        if counts is None:
            return None
        total += Passes(**counts)
    return total


def _gradients(training: Training, experiment: Experiment) -> float:
    """Returns for how many examples a training computes the gradient, up to the last moment that is asked for."""
    moments: Moments = training.moments if isinstance(training, DenseTraining) else TO_THE_END
    part = epochs(training.source, training.data, TO_THE_END, experiment)
    ends = [end for end in lengths(moments) if end is not None]
    length = max(ends, default=0) if len(ends) == len(moments) else part.length
    return length / part.steps * _examples(training.data, training.seed, experiment)


def _watched(searches: list[MaskSearch], experiment: Experiment) -> float:
    """Returns the gradients of the training in which a mask was watched, up to the moment at which it was drawn."""
    watched = next((search.scored for search in searches if search.scored.drawn == search.key), None)
    if watched is None:
        return 0.0
    at, steps = known_after(watched.moment(experiment)), experiment.steps(watched.data, watched.seed)
    share = experiment.recipe.epochs if at is None else at / steps
    return share * _examples(watched.data, watched.seed, experiment)


def _examples(data: CheckSpec, seed: int, experiment: Experiment) -> int:
    """Returns how many examples an epoch on the training set after the checks `data` takes, less the hold-out."""
    recipe = experiment.recipe

    def count() -> int:
        examples = len(experiment.seen(data, seed))
        return min(examples - int(recipe.holdout * examples), experiment.steps(data, seed) * recipe.batch_size)

    return experiment.once(("examples of an epoch", data, 0 if data.is_control else seed), count)
