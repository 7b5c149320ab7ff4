"""Says how a search that is a training trains: by the options of its method, in the place of the recipe's."""

from methods.learnt_mask import LearntMask
from sanity.recipes import Recipe


def search_recipe(method: LearntMask, recipe: Recipe) -> Recipe:
    """Returns the recipe by which the scores of `method` are trained in a run whose tickets train by `recipe`.

    Of `recipe` it has what concerns the data: hold-out, normalisation, whether a last batch that is not full is left
    out, the batch size unless the method says one, and crops and flips if the method asks for them.
    """
    shown = ("crop_padding", "crop_scale", "crop_ratio", "flip") if method.augment else ()
    kept = {name: getattr(recipe, name) for name in ("holdout", "normalise", "drop_last", *shown)}
    return Recipe(
        epochs=method.epochs,
        batch_size=method.batch_size or recipe.batch_size,
        optimizer=method.optimizer,
        lr=method.learning_rate,
        momentum=method.momentum,
        weight_decay=method.weight_decay,
        schedule="cosine" if method.learning_rate_decay == "cosine" else "constant",
        **kept,
    )
