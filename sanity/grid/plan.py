"""What a run would do, before it does it: cells, what they share, what is stored, how much work is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sanity.grid import keys
from sanity.grid.cells import DENSE, Cell
from sanity.grid.experiment import Experiment
from sanity.grid.moments import needs_dense, scores_trained
from sanity.grid.ticket_search import dense_training, ticket_epochs
from sanity.store.identity import is_key
from sanity.store.records import has_ended, rows
from sanity.training.cpu_threads import forward_operations

STORED, TRAINS = "stored", "trains"


@dataclass(frozen=True)
class Plan:
    """The state of every cell (`stored`, `trains`, or whose training it shares), and the work ahead.

    dense: dense networks that searches train beside the cells' own. rounds: of training and pruning. epochs: of all.
    networks: the keys of all dense networks that will be there.
    """

    states: dict[Cell, str]
    dense: int
    rounds: int
    epochs: int
    networks: frozenset[str]

    @property
    def trainings(self) -> int:
        """Trainings ahead."""
        return sum(state == TRAINS for state in self.states.values()) + self.dense + self.rounds


def plan(cells: Sequence[Cell], experiment: Experiment, networks: frozenset[str] = frozenset()) -> Plan:
    """What running `cells` would take. Two cells share a training where the check cannot change the ticket.

    networks: the keys of dense networks that runs before this one train.
    """
    first: dict[tuple[object, ...], Cell] = {}
    dense: dict[str, int] = {}
    states, rounds, epochs = {}, 0, 0
    for cell in cells:
        shared = _sharing(cell, experiment)
        stored = rows(experiment.store.root, [keys.cell(cell, experiment)])
        if stored and has_ended(stored[0]):
            states[cell] = STORED
        elif shared in first:
            states[cell] = f"shares the training of: {first[shared].title}"
        else:
            states[cell] = TRAINS
            if cell.method.name == DENSE:
                epochs += experiment.recipe.epochs
            else:
                method = experiment.altered(cell)
                further = len(method.ratios(cell.ratio)) - 1 if scores_trained(method) else 0
                rounds += further
                epochs += (further + 1) * ticket_epochs(method, experiment.recipe)
                if needs_dense(method):
                    training = dense_training(cell, experiment, method)
                    if not experiment.is_done(training):
                        dense[training.key] = training.epochs
        if states[cell] != STORED or _has_weights(experiment, stored[0]):
            first.setdefault(shared, cell)
    own = {dense_training(cell, experiment).key for cell in cells if cell.method.name == DENSE}
    beside = {key: length for key, length in dense.items() if key not in own | networks}
    return Plan(states, len(beside), rounds, epochs + sum(beside.values()), frozenset({*networks, *own, *dense}))


def _has_weights(experiment: Experiment, row: Mapping[str, Any]) -> bool:
    """Whether a stored cell's training is on disk, not only its record."""
    key = str(row.get("training"))
    return is_key(key) and (experiment.store.folder("trainings", key) / "record.json").exists()


def _sharing(cell: Cell, experiment: Experiment) -> tuple[object, ...]:
    """What two cells must have in common for their tickets to be the same."""
    if cell.method.name == DENSE:
        return cell.method.label, cell.seed
    method = experiment.altered(cell)
    seen = cell.check.data_label() if method.needs_data or scores_trained(method) else ""
    return cell.method.label, cell.ratio, cell.seed, seen, cell.check.part_with("alter", "perturb")


def operations(experiment: Experiment) -> float:
    """Floating-point operations of one dense epoch: forward on every example, twice that backward."""
    net = experiment.initial(experiment.config.seeds[0])
    return 3.0 * forward_operations(net, experiment.train.input_shape) * len(experiment.train)


def text(cells: Sequence[Cell], made: Plan, experiment: Experiment) -> str:
    """The plan as lines."""
    config = experiment.config
    lines = [f"{len(cells)} cells of {config.dataset}, {config.model}, recipe {config.recipe}:"]
    lines += [f"  {cell.title}: {made.states[cell]}" for cell in cells]
    beside = f", {made.dense} of them dense networks that searches start from" if made.dense else ""
    rounds = f", {made.rounds} of them rounds of training and pruning" if made.rounds else ""
    work = operations(experiment) * made.epochs
    lines.append(f"{made.trainings} trainings ahead{beside}{rounds}.")
    lines.append(
        f"About {made.epochs} epochs of {len(experiment.train)} examples, {work / 1e12:.3g} TFLOP. Nothing was run."
    )
    return "\n".join(lines)
