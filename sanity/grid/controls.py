"""Lists the comparisons whose answer is known, which `controls=true` adds to a grid, at its mildest ratio.

random, rearranged             both are draws of one distribution
random, on random labels       random pruning reads no labels: the same ticket
a method, neurons permuted     the same function
blind, rearranged              a third of the classes gets weights again: accuracy must rise
"""

import logging
from collections.abc import Sequence
from itertools import groupby

from sanity.errors import UserError
from sanity.grid.cells import DENSE, NO_CHECK, Cell, CheckSpec, MethodSpec
from sanity.grid.experiment import Experiment

log = logging.getLogger("sanity")

RANDOM, BLIND = MethodSpec("random"), MethodSpec("blind")
REARRANGED, RELABELLED, PERMUTED = (
    CheckSpec(((name, ()),)) for name in ("layerwise_rearrange", "random_labels", "permute_neurons")
)


def with_controls(cells: Sequence[Cell], ratios: Sequence[float]) -> list[Cell]:
    """Returns the cells of a grid, each seed's followed by those of its controls that are not among them."""
    specs = list(dict.fromkeys(cell.method for cell in cells))
    by_seed = groupby(cells, lambda cell: cell.seed)
    return list(dict.fromkeys(cell for seed, own in by_seed for cell in [*own, *_of_seed(specs, min(ratios), seed)]))


def _of_seed(specs: Sequence[MethodSpec], ratio: float, seed: int) -> list[Cell]:
    searching = [spec for spec in specs if spec.name != DENSE]
    random = next((spec for spec in searching if spec.name == RANDOM.name), RANDOM)
    permuted = searching[0] if searching else random
    pairs = [
        (random, NO_CHECK), (random, REARRANGED), (random, RELABELLED),
        (permuted, NO_CHECK), (permuted, PERMUTED),
        (BLIND, NO_CHECK), (BLIND, REARRANGED),
    ]  # fmt: skip
    return [Cell(method, check, ratio, seed) for method, check in pairs]


def feasible(cells: Sequence[Cell], grid: Sequence[Cell], experiment: Experiment) -> list[Cell]:
    """Returns `cells` without the controls that this network does not allow, and says in the log why.

    grid: the cells without controls; these stay, whatever is wrong with them.
    """
    asked = set(grid)
    reasons = {cell: _reason(cell, experiment) for cell in cells if cell not in asked}
    for reason in dict.fromkeys(filter(None, reasons.values())):
        log.warning("controls: one is left out, since %s", reason)
    return [cell for cell in cells if not reasons.get(cell)]


def _reason(cell: Cell, experiment: Experiment) -> str:
    """Returns why the network does not allow a control; empty where it does."""

    def why() -> str:
        network = experiment.initial(cell.seed)
        try:
            cell.check.build().check_feasible(experiment.altered(cell), network)
            experiment.altered(cell).check_feasible(network, cell.ratio)
        except UserError as error:
            return str(error)
        return ""

    return experiment.once(("control", cell.method, cell.check), why)
