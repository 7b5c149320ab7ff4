"""Measures what a ticket can do before its training, and lists the accuracies of the rounds that led to it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sanity.grid import stored
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment, State
from sanity.grid.task import DenseTraining, MaskSearch, Task, TicketTraining
from sanity.grid.tasks import own_tasks
from sanity.grid.ticket_source import TicketSource
from sanity.training.evaluation import accuracy


def before_training(cell: Cell, source: TicketSource, experiment: Experiment) -> dict[str, Any]:
    """Returns the outcomes of a cell that its training does not change. All its searches must have ended.

    start_test_accuracy: of the ticket at the weights that it starts from, in percent.
    pruned_test_accuracy: right after pruning: of the trained weights that were scored, under the ticket's mask; None
        where the initialisation was scored. A ticket that keeps these weights starts there, and both are the same.
    round_test_accuracies: of a method that trains between its rounds, the last accuracy of every training before the
        final one: the dense network's, then one a round; None for other methods, and for a training that diverged or
        did not run to its end.
    """
    of_start = experiment.once(
        ("start accuracy", source.digest(experiment)), lambda: _accuracy(source.load(experiment).start(), experiment)
    )
    earlier = own_tasks(cell, experiment)
    return {
        "start_test_accuracy": of_start,
        "pruned_test_accuracy": _after_pruning(earlier, source, experiment),
        "round_test_accuracies": _of_rounds(earlier, experiment),
    }


def _accuracy(state: State, experiment: Experiment) -> float:
    net = experiment.loaded(state)
    return accuracy(net, experiment.test, experiment.recipe_for_loop, experiment.device, experiment.precision)


def _after_pruning(earlier: list[Task], source: TicketSource, experiment: Experiment) -> float | None:
    scored = [task.scored for task in earlier if isinstance(task, MaskSearch)]
    if not scored or scored[-1].training is None:
        return None
    ticket = replace(source.load(experiment), weights=scored[-1].load(experiment))
    return _accuracy(ticket.start(), experiment)


def _of_rounds(earlier: list[Task], experiment: Experiment) -> list[float | None] | None:
    if not any(isinstance(task, TicketTraining) for task in earlier):
        return None
    return [_last(task, experiment) for task in earlier if not isinstance(task, MaskSearch)]


def _last(training: DenseTraining | TicketTraining, experiment: Experiment) -> float | None:
    key = training.key if isinstance(training, DenseTraining) else training.key_in(experiment)
    record: Mapping[str, Any] | None = stored.training_record(
        experiment, key, training.source.digest(experiment), training.seed
    )
    return record["last_test_accuracy"] if record else None
