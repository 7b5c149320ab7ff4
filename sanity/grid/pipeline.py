"""The way of the data for one cell: search on what the check leaves, perturb the ticket, train it on the clean data.

A cell is a generator: it yields the trainings that it needs and is resumed when they are in the store. Whoever drives
the cells can so train side by side what several of them wait for, and each training once.
"""

import logging
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any

from sanity import masks
from sanity.effective_density import density_of_paths
from sanity.grid.cells import DENSE, NO_CHECK, Cell
from sanity.grid.experiment import Experiment, Training
from sanity.grid.ticket_search import Found, dense_training, search
from sanity.models.prunable import prunable, unpruned
from sanity.seeds import generator
from sanity.tickets import Ticket

log = logging.getLogger("sanity")
Steps = Generator[Training, None, dict[str, Any]]


def steps(cell: Cell, experiment: Experiment) -> Steps:
    """All of one cell. Yields the trainings that it needs; returns its record but for what the training says.

    Tickets are measured before the training is asked for and then dropped, so that cells that wait hold no weights.
    """
    if cell.method.name == DENSE:
        training = dense_training(cell, experiment)
        record = {**named(cell, experiment), **_measured(experiment, cell, training.ticket()), "training": training.key}
    else:
        method = experiment.method(cell)
        found = yield from search(cell, experiment.altered(cell), experiment)
        make = partial(_perturbed, cell, found)
        ticket = make()
        training = experiment.training(cell, ticket, make)
        record = {**named(cell, experiment), **_measured(experiment, cell, ticket)}
        if not cell.check.is_control:
            control = yield from search(replace(cell, check=NO_CHECK), method, experiment)
            record |= _compared(ticket, control.ticket(), record["ticket"])
            if record["identical_to_none"] and cell.check.build().overrides("perturb"):
                log.warning("%s: the check changed nothing of the ticket", cell.title)
        record |= {"search_s": found.seconds, "training": training.key}
        del ticket
    yield training
    return record


def _perturbed(cell: Cell, found: Found) -> Ticket:
    return cell.check.build().perturb(found.ticket(), generator(cell.seed, "check"))


def named(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Where in the tables the cell belongs."""
    config = experiment.config
    return {
        "dataset": config.dataset,
        "model": config.model,
        "recipe": config.recipe,
        "overrides": config.overrides(),
        "method": cell.method.label,
        "check": cell.check.label,
        "ratio": cell.ratio,
        "seed": cell.seed,
        "classes": experiment.train.classes,
        "train_examples": len(experiment.train),
        "test_examples": len(experiment.test),
    }


def _measured(experiment: Experiment, cell: Cell, ticket: Ticket) -> dict[str, Any]:
    """What can be said of a ticket before it is trained."""
    mask, kept, size = ticket.mask, masks.kept(ticket.mask), masks.size(ticket.mask)
    net = experiment.initial(cell.seed)
    weights_only = {name: mask[name] for name in prunable(net)}
    return {
        "kept": kept,
        "prunable": size,
        "actual_ratio": 1 - kept / size,
        "left_dense": unpruned(net),
        "effective_density": density_of_paths(net, weights_only, experiment.train.input_shape)
        if experiment.paths_are_known
        else None,
        "collapsed": masks.collapsed(weights_only),
        "layers": masks.layers(mask),
        "ticket": ticket.digest(),
        "mask_overlap": None,
        "expected_overlap": None,
        "identical_to_none": False,
        "search_s": 0.0,
    }


def _compared(ticket: Ticket, control: Ticket, digest: str) -> dict[str, Any]:
    """How much of the control's ticket the perturbed one still is."""
    return {
        "mask_overlap": masks.overlap(ticket.mask, control.mask),
        "expected_overlap": masks.expected_overlap(ticket.mask, control.mask),
        "identical_to_none": digest == control.digest(),
    }
