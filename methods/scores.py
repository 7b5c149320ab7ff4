"""Says which formula of a method a round ranks by, and whether the scores of one's own are those of its weights."""

from collections.abc import Mapping

from torch import Tensor

from sanity.errors import UserError
from sanity.masks import Scores, check_finite


def products_are_the_saliency(method: object) -> bool:
    """Returns whether no later formula, of a subclass, a mixin or this object alone, stands over `products`."""
    owners = [vars(owner) for owner in (method, *type(method).__mro__)]
    first = {name: [name in owner for owner in owners].index(True) for name in ("products", "saliency")}
    return first["products"] <= first["saliency"]


def check_scores(scores: Scores, weights: Mapping[str, Tensor], owner: str) -> None:
    """Raises `UserError` naming the first score that is missing, that no weight has, of another form or not finite.

    scores: what the `saliency` of `owner` returned, whatever that is. weights: those that it was to score.
    """
    if not isinstance(scores, Mapping):
        raise UserError(f"{owner}: saliency returned {type(scores).__name__}, not scores by name")
    if missing := [name for name in weights if name not in scores]:
        raise UserError(f"{owner} gives no score for '{missing[0]}'")
    for name, score in scores.items():
        if name not in weights:
            raise UserError(f"{owner} scores '{name}', which is none of the weights: {', '.join(weights)}")
        if not isinstance(score, Tensor):
            raise UserError(f"{owner} scores '{name}' with {type(score).__name__}, not with a tensor")
        if score.shape != weights[name].shape or not score.is_floating_point():
            score_type, weight_type = (f"{value.dtype} {tuple(value.shape)}" for value in (score, weights[name]))
            raise UserError(f"{owner} scores '{name}' with {score_type}, but its weight has {weight_type}")
    check_finite(scores)
