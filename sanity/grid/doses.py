"""Says for the record of a cell how much its check destroys, and at which moments its mask is drawn or rewound to."""

from typing import Any

from checks.base import Check
from sanity.config.moment import is_best, iterations
from sanity.grid.cells import NO_CHECK, Cell, CheckSpec
from sanity.grid.experiment import Experiment

_MOMENTS = ("scored_at", "rewind_epoch", "weights_at")


def dose(cell: Cell, experiment: Experiment) -> dict[str, Any] | None:
    """Returns the dose of a cell's check; None unless exactly one part of the check has one.

    of: the check without the option. option, value, scale: see `checks.base.Check`. A moment counts in epochs; the
    initialisation and the epoch of the best test accuracy are no dose.
    """
    dosed = _dosed(cell)
    if len(dosed) != 1:
        return None
    ((name, part),) = dosed.items()
    others = tuple(
        (other, tuple(pair for pair in options if other != name or pair[0] != part.dose))
        for other, options in cell.check.parts
    )
    value = getattr(part, part.dose)
    amount = in_epochs(value, cell, experiment) if part.dose_is_moment else float(value)
    if not amount:
        return None
    return {"of": CheckSpec(others).label, "option": f"{name}.{part.dose}", "value": amount, "scale": part.dose_scale}


def moments(cell: Cell, experiment: Experiment) -> dict[str, float]:
    """Returns the moments that the options of a cell set, in epochs of dense training, as far as they have a number.

    A check that draws the mask at another moment takes the place of the method's `scored_at`.
    """
    set_by_check = {
        f"{name}.{part.dose}": getattr(part, part.dose) for name, part in _dosed(cell).items() if part.dose_is_moment
    }
    named = {name for name, _ in cell.method.options if name in _MOMENTS}
    set_by_method = {name: getattr(experiment.method(cell), name) for name in _MOMENTS if name in named}
    places = {name: in_epochs(moment, cell, experiment) for name, moment in (set_by_check or set_by_method).items()}
    return {name: place for name, place in places.items() if place is not None}


def in_epochs(moment: int | str, cell: Cell, experiment: Experiment) -> float | None:
    """Returns after how many epochs on the clean data a moment is; None for the epoch of the best test accuracy."""
    if is_best(moment):
        return None
    steps = experiment.steps(NO_CHECK, cell.seed)
    return iterations(moment, experiment.recipe.epochs, steps) / steps


def _dosed(cell: Cell) -> dict[str, Check]:
    return {name: part for name, part in cell.check.build_parts().items() if part.dose}
