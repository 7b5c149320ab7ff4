"""Says which moments of the dense training a method starts from, and at which moment its ticket is retrained."""

from collections.abc import Iterable

from methods.base import Method
from methods.moments import rewinds_to, scores_trained
from sanity.config.moment import BEST, END, is_best, iterations
from sanity.errors import UserError
from sanity.recipes import Recipe

At = int | str | None
"""A moment of a training: after so many iterations; None: its end; `best`, `best_of_1200it`: after the epoch of the
best test accuracy, of all epochs or of those within so many iterations."""
_BEST_OF = f"{BEST}_of_"


def at(moment: int | str, epochs: int, steps: int) -> At:
    """Converts a moment of a schedule of `epochs` epochs of `steps` iterations."""
    count = iterations(moment, epochs, steps)
    is_whole = count >= epochs * steps
    if is_best(moment):
        return BEST if is_whole else f"{_BEST_OF}{count}it"
    return None if is_whole else count


def known_after(moment: At) -> int | None:
    """Returns after how many iterations of a training the weights at a moment are known; None: at its end."""
    if isinstance(moment, str):
        return None if moment == BEST else int(moment.removeprefix(_BEST_OF).removesuffix("it"))
    return moment


def lengths(moments: Iterable[At]) -> list[int | None]:
    """Returns how far a training must go for each of these moments, in iterations; None: to its end."""
    return [known_after(moment) for moment in moments]


def dense_moments(method: Method) -> frozenset[int | str]:
    """Returns the moments of dense training that the method scores or rewinds to, as far as they are known."""
    scored = {method.scored_at} if scores_trained(method) and method.watch is None else set()
    return frozenset(scored | {rewinds_to(method)} - {0})


def starts_at(method: Method, recipe: Recipe) -> int | str:
    """Returns the moment of the schedule at which a ticket's training starts."""
    if method.rewind == "fine_tune":
        return recipe.epochs
    return method.rewind_epoch if method.rewind in ("weights", "learning_rate") else 0


def retrain_epochs(method: Method, recipe: Recipe) -> int | None:
    """Returns the number of epochs for which a ticket trains; None: to the end of the schedule."""
    return method.retrain_epochs or (recipe.epochs if method.rewind == "fine_tune" else None)


def check_against(method: Method, label: str, recipe: Recipe, steps: int = 1) -> None:
    """Raises `UserError` if the method's moments do not fit the recipe, whose epochs have `steps` iterations."""
    follows_schedule = method.retrain_lr is None
    if follows_schedule and method.rewind == "fine_tune" and recipe.schedule in ("cosine", "one_cycle", "plateau"):
        raise UserError(
            f"{label}: fine_tune trains at the last learning rate, and the schedule {recipe.schedule} leaves none to "
            "train with; set recipe.schedule=steps or constant, or the method's retrain_lr"
        )
    method.check_training()
    start = iterations(method.rewind_epoch, recipe.epochs, steps)
    if follows_schedule and recipe.schedule == "plateau" and method.rewind != "init" and start > 0:
        raise UserError(
            f"{label}: rewind_epoch={method.rewind_epoch} has no place on a plateau schedule; it follows the loss"
        )
    moments = {"scored_at": method.scored_at, "rewind_epoch": method.rewind_epoch, "weights_at": rewinds_to(method)}
    for name, moment in moments.items():
        if iterations(moment, recipe.epochs, steps) > recipe.epochs * steps:
            raise UserError(f"{label}: {name}={moment} lies beyond the {_length(moment, recipe, steps)} of the recipe")
    resumes = method.rewind in ("weights", "learning_rate")
    if resumes and start == recipe.epochs * steps and method.retrain_epochs is None:
        raise UserError(f"{label}: rewind_epoch={method.rewind_epoch} leaves nothing to retrain; set retrain_epochs")
    if method.watch is not None and len(method.ratios(0.5)) > 1:
        raise UserError(f"{label}: it draws its mask once; set rounds=1")
    if scores_trained(method) and method.scored_at not in (END, BEST) and len(method.ratios(0.5)) > 1:
        raise UserError(f"{label}: several rounds of training and pruning need scored_at=end or best")


def _length(moment: int | str, recipe: Recipe, steps: int) -> str:
    if isinstance(moment, int):
        return f"{recipe.epochs} epochs"
    return f"{recipe.epochs} epochs ({recipe.epochs * steps} iterations)"
