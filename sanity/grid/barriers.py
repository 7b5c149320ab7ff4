"""Measures the error barriers of a cell (`outcome=barrier`) from the final weights of its trainings."""

from typing import Any

from sanity.errors import UserError
from sanity.grid import stored
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment, State
from sanity.grid.task import DenseTraining, TicketTraining, Training
from sanity.grid.tasks import control_ticket, tasks, ticket_training
from sanity.training.interpolation import barrier, errors

_OTHER_ORDER = 2**32
"""What is added to a cell's seed for another order of the data."""


def beside(cell: Cell, experiment: Experiment) -> list[TicketTraining]:
    """Returns the trainings to which the cell's is compared by `outcome=barrier`; none with another outcome.

    The first is of the cell's ticket on the data in another order, the second of its control, if it has a check.
    """
    if experiment.config.outcome != "barrier":
        return []
    again = TicketTraining(tasks(cell, experiment)[1].source, order=cell.seed + _OTHER_ORDER)
    return [again] if cell.check.is_control else [again, ticket_training(control_ticket(cell, experiment), experiment)]


def barriers(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns the barriers of a cell in points of error, on training and test set. All its trainings must have ended.

    barrier_orders_*: between the ticket and the same ticket trained on the data in another order.
    barrier_control_*: between the ticket and its control, each as trained; None for the control and the dense network.
    None too where one of the two trainings diverged. Empty unless the run asks for barriers.
    """
    names = ("orders", "control")
    fields: dict[str, Any] = {f"barrier_{name}_{split}": None for name in names for split in ("train", "test")}
    partners = beside(cell, experiment)
    if not partners:
        return {}
    own = _final(tasks(cell, experiment)[1], experiment)
    for name, training in zip(names, partners, strict=False):
        other = _final(training, experiment)
        if own is not None and other is not None:
            splits = (experiment.train, experiment.test)
            net = experiment.loaded(own)
            shared = (experiment.recipe_for_loop, experiment.device, experiment.precision)
            rows = errors(net, (own, other), splits, *shared)
            fields |= {
                f"barrier_{name}_{split}": barrier(row) for split, row in zip(("train", "test"), rows, strict=True)
            }
    return fields


def _final(training: Training, experiment: Experiment) -> State | None:
    """Returns the final weights of a training; None if it diverged."""
    key = training.key if isinstance(training, DenseTraining) else training.key_in(experiment)
    record = stored.training_record(experiment, key, training.source.digest(experiment), training.seed)
    if record is None:
        raise UserError(f"training {key} has not ended")
    return None if record["status"] == "diverged" else stored.weights(experiment, key, None)
