"""Plans a run without executing it: lists the tasks of its cells whose results are not in the store."""

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sanity.console.durations import duration
from sanity.grid import keys, stored
from sanity.grid.barriers import beside
from sanity.grid.cells import DENSE, Cell
from sanity.grid.experiment import Experiment
from sanity.grid.task import TO_THE_END, DenseTraining, MaskSearch, Task, TicketTraining, Training
from sanity.grid.tasks import requested_moments, tasks
from sanity.grid.timing import measured
from sanity.grid.training_batch import epochs
from sanity.masks.operations import operations
from sanity.training.epochs import steps_per_epoch

_LISTED = 40  # cells; of more, a line for each method
STORED, TRAINS = "stored", "trains"


@dataclass(frozen=True)
class Plan:
    """Holds the state of every cell (`stored`, `trains`, or the cell whose training it shares) and the work ahead.

    ended: cells whose records are stored. dense: trainings of dense networks that are no cells of the run. rounds: of
    training and pruning. orders: trainings of a ticket on the data in another order. epochs: in total.
    names: the names of all tasks ahead, those of earlier runs of the request included.
    """

    states: dict[Cell, str]
    ended: int
    dense: int
    rounds: int
    orders: int
    epochs: float
    names: frozenset[object]

    @property
    def is_done(self) -> bool:
        """Whether a run would make nothing: the records of all cells are stored."""
        return self.ended == len(self.states)

    @property
    def trainings(self) -> int:
        """The number of trainings ahead."""
        return sum(state == TRAINS for state in self.states.values()) + self.dense + self.rounds + self.orders


def plan(cells: Sequence[Cell], experiment: Experiment, before: frozenset[object] = frozenset()) -> Plan:
    """Plans the run of `cells`. before: the names of tasks that earlier runs of the request will do."""
    with stored.listed(experiment), without_garbage_collection():
        return _plan(cells, experiment, before)


def _plan(cells: Sequence[Cell], experiment: Experiment, before: frozenset[object]) -> Plan:
    own = {tasks(cell, experiment)[1].name for cell in cells if cell.method.name == DENSE}
    states: dict[Cell, str] = {}
    records = 0
    first: dict[object, Cell] = {}
    ahead: dict[object, Task] = {}
    for cell in cells:
        needed, last = tasks(cell, experiment)
        ended = stored.has_ended(experiment, keys.cell(cell, experiment))
        records += ended
        others = [] if ended else beside(cell, experiment)
        ahead |= {task.name: task for task in others if task.order is not None and not task.is_done(experiment)}
        if ended:
            states[cell] = STORED
            if not last.is_done(experiment):  # the record of the training exists, its weights do not
                continue
        elif last.name in first:
            states[cell] = f"shares the training of: {first[last.name].title}"
        elif last.is_done(experiment):
            states[cell] = STORED
        else:
            states[cell] = TRAINS
            ahead |= {task.name: task for task in needed if not task.is_done(experiment)}
            ahead[last.name] = last
        first.setdefault(last.name, cell)
    orders = {name for name, task in ahead.items() if isinstance(task, TicketTraining) and task.order is not None}
    own_ahead = {name: task for name, task in ahead.items() if name not in before} if before else ahead
    trainings = [task for task in own_ahead.values() if not isinstance(task, MaskSearch)]
    tickets = [task.name for task in trainings if isinstance(task, TicketTraining)]
    return Plan(
        states=states,
        ended=records,
        dense=sum(isinstance(task, DenseTraining) and task.name not in own for task in trainings),
        rounds=sum(name not in first and name not in orders for name in tickets),
        orders=len(orders - before),
        epochs=sum(_epochs(task, experiment) for task in trainings),
        names=before.union(ahead),
    )


def _epochs(training: Training, experiment: Experiment) -> float:
    """Returns the number of epochs that a task trains."""
    if isinstance(training, DenseTraining):
        moments = training.moments | requested_moments(experiment).get(training.key, frozenset())
        part = epochs(training.source, training.data, training.missing(experiment, moments), experiment)
    else:
        part = epochs(training.source, training.data, TO_THE_END, experiment)
    return part.length / part.steps


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Context manager; the tasks of 100,000 cells all stay, and to look through them for cycles takes a fifth more."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def of_an_epoch(experiment: Experiment) -> float:
    """Counts the floating-point operations of one dense epoch: forward on every example, twice that backward."""
    net = experiment.initial(experiment.config.first_seeds[0])
    return 3.0 * operations(net, experiment.train.input_shape).total * len(experiment.train)


def text(cells: Sequence[Cell], plan: Plan, experiment: Experiment) -> str:
    """Writes the plan as text."""
    config = experiment.config
    lines = [f"{len(cells)} cells of {config.dataset}, {config.model}, recipe {config.recipe}:"]
    lines += _listed(cells, plan) if len(cells) <= _LISTED else _folded(cells, plan)
    dense = f", {plan.dense} of them dense networks that searches start from" if plan.dense else ""
    rounds = f", {plan.rounds} of them rounds of training and pruning" if plan.rounds else ""
    orders = f", {plan.orders} of them of the data in another order" if plan.orders else ""
    work = of_an_epoch(experiment) * plan.epochs
    lines.append(f"{plan.trainings} trainings ahead{dense}{rounds}{orders}.")
    lines.append(f"About {plan.epochs:g} epochs of {len(experiment.train)} examples, {work / 1e12:.3g} TFLOP.")
    return "\n".join([*lines, *_time(plan, experiment), "Nothing was run."])


def _listed(cells: Sequence[Cell], plan: Plan) -> list[str]:
    return [f"  {cell.title}: {plan.states[cell]}" for cell in cells]


def _folded(cells: Sequence[Cell], plan: Plan) -> list[str]:
    """Writes a line for each method: how many of its cells train, share a training, are stored."""
    states: dict[str, Counter[str]] = {}
    for cell in cells:
        state = plan.states[cell]
        word = state if state in (STORED, TRAINS) else "shares a training"
        states.setdefault(cell.method.label, Counter())[word] += 1
    words = {TRAINS: "to train", "shares a training": "with a training that is shared", STORED: "stored"}
    return [
        f"  {label}: {counts.total()} cells, "
        + ", ".join(f"{counts[state]} {word}" for state, word in words.items() if counts[state])
        for label, counts in states.items()
    ]


def _time(plan: Plan, experiment: Experiment) -> list[str]:
    if experiment.train.is_stand_in:
        return [
            f"The data are not in data_dir={experiment.config.data_dir}: counted by their published numbers. Without "
            "them no time is measured, and no stored result is recognised."
        ]
    if not plan.epochs:
        return []
    pace, steps = measured(experiment), steps_per_epoch(len(experiment.train), experiment.recipe)
    ahead, device = pace.of(plan.epochs, steps), experiment.machine.device
    beside = f", if nothing else runs there, and {duration(ahead.clock)} beside what runs there now"
    return [
        f"About {duration(ahead.own)} on {device}{beside if ahead.is_slowed else ''}, by {pace.steps} steps that were "
        "measured, if one network trains at a time; less where several do. Searches for masks come on top."
    ]
