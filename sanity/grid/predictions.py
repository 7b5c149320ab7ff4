"""Says beforehand what a cell's check must do to its ticket, from what check, method and initialisation declare."""

from checks.base import Prediction
from sanity import models
from sanity.grid.cells import DENSE, Cell
from sanity.grid.experiment import Experiment
from sanity.masks.files.imports import split_init
from sanity.models import AS_BUILT, INITS, REGISTRY
from sanity.models.base import Model
from sanity.models.init import Init


def predicted(cell: Cell, experiment: Experiment) -> Prediction | None:
    """Returns the prediction of a cell (`checks.base.Prediction`); None for a control and for the dense network.

    `null` rests on the distribution of the initial weights, so it becomes `open` where a file holds them, where network
    or initialisation are not ours, and where the mask looks at biases or scales that the initialisation draws.
    """
    if cell.method.name == DENSE or cell.check.is_control:
        return None
    return experiment.once(("predicted", cell.method, cell.check), lambda: _predicted(cell, experiment))


def _predicted(cell: Cell, experiment: Experiment) -> Prediction:
    method = experiment.method(cell)
    prediction = cell.check.build().predicts(method)
    if prediction != "null":
        return prediction
    drawn, file = split_init(experiment.config.init)
    if file or models.fingerprint(experiment.config.model, drawn):
        return "open"
    return "open" if "biases" in method.looks_at and _draws_biases(experiment.config.model, drawn) else "null"


def _draws_biases(model: str, init: str) -> bool:
    """Whether biases, or the scales of normalisation layers, are drawn, and not constants."""
    name = init or REGISTRY.load_subclass(model, Model).default_init
    distribution = INITS.load_subclass(name, Init)
    return name == AS_BUILT or distribution.bias is not Init.bias or distribution.scale is not Init.scale
