"""Makes the record of a cell: its place in the tables, and the properties of its ticket before training."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor

from sanity import masks
from sanity.config.source_hash import source_hash
from sanity.grid import outcomes, stored
from sanity.grid.cells import DENSE, Cell
from sanity.grid.doses import dose, moments
from sanity.grid.experiment import Experiment
from sanity.grid.mask_facts import measured
from sanity.grid.predictions import predicted
from sanity.grid.same_function import function_gap
from sanity.grid.search_cost import search_cost
from sanity.grid.task import DenseTraining, MaskSearch
from sanity.grid.tasks import control_ticket, counts_tasks, own_searches, own_tasks, tasks
from sanity.grid.ticket_source import TicketSource
from sanity.grid.versions import versions
from sanity.masks import patterns
from sanity.masks.allocation import budget
from sanity.masks.small_network import size_of, small_network
from sanity.masks.ticket import Ticket
from sanity.training.speed import speed_up

log = logging.getLogger("sanity")


def record(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns a cell's record without the results of its training. All searches of the cell must have ended.

    `off_budget` counts by how many weights somebody else's mask misses the ratio; None for our methods. `best_epochs`:
    the epochs whose weights were scored or retrained because their test accuracy is the best. `search_cost`: what the
    search takes in gradients, see `sanity.grid.search_cost`.
    """
    _, training = tasks(cell, experiment)
    source = training.source
    key = training.key if isinstance(training, DenseTraining) else training.key_in(experiment)
    ticket = source.load(experiment)
    about = {**place(cell, experiment), **_of_ticket(ticket, cell, experiment), "ticket": source.digest(experiment)}
    about |= outcomes.before_training(cell, source, experiment)
    about |= _of_check(cell, source, ticket, experiment)
    if about["predicted"] == "same function" and about["mask_overlap"] is not None:
        about["function_gap"] = function_gap(source, control_ticket(cell, experiment), experiment)
    about |= _of_searches(cell, experiment)
    if best := _best_epochs(cell, source, experiment):
        about["best_epochs"] = best
    about["off_budget"] = _off_budget(ticket.mask, cell, experiment)
    about["search_cost"] = search_cost(cell, experiment)
    return {**about, "item_versions": versions(cell, experiment.config), "training": key}


def _of_ticket(ticket: Ticket, cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns the properties of the mask.

    `operations` of one example's forward pass: of the `whole` network, which a masked one takes, and of the `kept`
    weights alone. `small`, of a ticket that lost whole channels: `parameters` and `flops` (of one example) of the
    network without, `dense_parameters` and `dense_flops` of the whole one, `channels` left and in all of every
    convolution, and `speed`: how long both take, see `sanity.training.speed.SpeedUp`.
    """
    about = measured(ticket.mask, cell.seed, experiment)
    if ticket.frozen:  # pruned weights still conduct: no layer is empty, and every path is live
        about |= {"frozen": True, "effective_density": None, "collapsed": []}
        about["operations"]["kept"] = about["operations"]["whole"]
    if ticket.updates is not None:
        about["operations"] = None  # those of the mask at the end count, which the record of the training holds
    if patterns.get(ticket.pattern).keeps_units_whole:
        about["small"] = _small(ticket.mask, cell, experiment)
    return about


def _of_check(cell: Cell, source: TicketSource, ticket: Ticket, experiment: Experiment) -> dict[str, Any]:
    """Returns what the check did to the ticket, beside the unperturbed one."""
    about: dict[str, Any] = {"mask_overlap": None, "expected_overlap": None, "identical_to_none": False}
    if cell.method.name == DENSE or cell.check.is_control:
        return about
    about |= _compared(source, ticket.mask, control_ticket(cell, experiment), experiment)
    if about["identical_to_none"] and not experiment.part(cell, "perturb").is_control:
        log.warning("%s: the check changed nothing of the ticket", cell.title)
    return about


def _of_searches(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns what the records of the cell's searches say.

    `ties` counts the weights of a search's mask that some round of it kept by position alone, since a removed one
    scored the same. Where weights are trained between searches it is that of the search that had most, which may be
    more than the last one keeps; searches of before 2026-11-28 have that of the round that had most, which may be so
    too. None where it is not known: for a dense network, a mask that did not come from scores, or a search of before
    `ties` was written.
    `repeat_differs`: in how many entries somebody else's mask differs from that of a second call; None for our methods.
    `early_bird`, of one that was drawn early: `epoch`, `emerged`, and the `distances` of the masks up to then.
    `solver`, of one that solved optimisation problems under a time limit, see `sanity.masks.solved.solver`.
    """
    ended = [stored.search_record(experiment, search.key) for search in own_searches(cell, experiment)]
    searches = [search for search in ended if search]
    counting = [task.key for task in counts_tasks(cell, experiment) if isinstance(task, MaskSearch)]
    counted = filter(None, (stored.search_record(experiment, key) for key in counting))
    last = searches[-1] if searches else {}
    return {
        "search_s": sum((float(search["seconds"]) for search in (*counted, *searches)), 0.0),
        "ties": _most("ties", searches),
        "repeat_differs": _most("repeat_differs", searches),
        **{name: last[name] for name in ("early_bird", "solver") if name in last},
    }


def _most(name: str, searches: Sequence[Mapping[str, Any]]) -> Any:
    """Returns the largest value that searches have under a name; None where none has one."""
    return max((search[name] for search in searches if search.get(name) is not None), default=None)


def _best_epochs(cell: Cell, source: TicketSource, experiment: Experiment) -> list[int]:
    """Returns the epochs that the best test accuracy chose, of all trainings whose weights were scored or retrained."""
    scored = [task.scored for task in own_tasks(cell, experiment) if isinstance(task, MaskSearch)]
    chosen = [weights for weights in dict.fromkeys([*scored, source.weights]) if isinstance(weights.at, str)]
    epochs = [stored.best_epoch(experiment, weights.training_key(experiment), str(weights.at)) for weights in chosen]
    return [epoch for epoch in epochs if epoch is not None]


def place(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns the columns that place the cell in the tables."""
    config, printed = experiment.config, _printed(cell, experiment)
    return {
        "dataset": config.dataset,
        "model": config.model,
        "recipe": config.recipe,
        "overrides": config.overrides(),
        "method": cell.method.label,
        "check": cell.check.label,
        "ratio": cell.ratio,
        "match": config.match,
        "seed": cell.seed,
        "predicted": predicted(cell, experiment),
        "dose": dose(cell, experiment),
        "moments": moments(cell, experiment),
        "classes": experiment.train.classes,
        "train_examples": len(experiment.train),
        "test_examples": len(experiment.test),
        **_words(cell),
        **printed,
    }


def _words(cell: Cell) -> dict[str, Any]:
    """Returns what the checks of the cell that are not ours say of themselves, for reports: name -> keeps, destroys."""
    theirs = {name: part for name, part in cell.check.build_parts().items() if _is_theirs(part)}
    words = {name: {"keeps": part.keeps, "destroys": part.destroys} for name, part in theirs.items() if part.destroys}
    return {"check_words": words} if words else {}


def _is_theirs(part: object) -> bool:
    cls: type = type(part)
    return source_hash(cls) != ""


def _printed(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns the number that the user says a paper prints for the cell, in the columns of published tables."""
    is_control = cell.method.name != DENSE and cell.check.is_control
    accuracy = experiment.method(cell).printed_accuracy() if is_control else None
    if accuracy is None:
        return {}
    return {"paper_mean": accuracy, "paper_metric": "unstated", "paper_source": "as the option paper_accuracy says"}


def _small(mask: Mapping[str, Tensor], cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Measures the network without the removed channels: parameters, operations and speed, beside the whole one's."""
    net, shape = experiment.initial(cell.seed), experiment.train.input_shape
    small = small_network(net, mask)
    sizes = {"": size_of(small, shape), "dense_": size_of(net, shape)}
    numbers = {f"{prefix}{name}": count for prefix, size in sizes.items() for name, count in asdict(size).items()}
    convolutions = {name: layer.flatten(1).any(1) for name, layer in mask.items() if layer.dim() > 2}
    channels = {name: [int(left.sum()), len(left)] for name, left in convolutions.items()}
    speed = experiment.once(  # networks of equal widths are equally fast
        ("speed", str(channels)), lambda: speed_up(net, mask, small, shape, experiment.device, experiment.precision)
    )
    return {**numbers, "channels": channels, "speed": asdict(speed)}


def _off_budget(mask: Mapping[str, Tensor], cell: Cell, experiment: Experiment) -> int | None:
    if cell.method.name == DENSE or experiment.altered(cell).exact_counts or experiment.config.match == "live":
        return None  # with `match=live` the ratio counts other weights
    return masks.kept(mask) - budget(masks.size(mask), cell.ratio)


def _compared(
    source: TicketSource, mask: Mapping[str, Tensor], control: TicketSource, experiment: Experiment
) -> dict[str, Any]:
    """Compares the perturbed ticket with the control's: overlap of the masks, and whether both are identical."""
    unperturbed = control.load(experiment).mask
    return {
        "mask_overlap": masks.overlap(mask, unperturbed),
        "expected_overlap": masks.expected_overlap(mask, unperturbed),
        "identical_to_none": source.digest(experiment) == control.digest(experiment),
    }
