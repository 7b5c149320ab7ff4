"""Names every result by a hash of all that determines it. One function for each kind of result.

    cell      a record: one point of the grid
    mask      the mask that a search computed
    dense     a training of the unpruned network of any length; its files are the weights at chosen moments
    ticket    a training of a ticket

Methods, checks and models enter a key with their options; classes from outside this suite also with their source.
"""

from dataclasses import asdict, replace
from typing import Any

from methods.base import Method
from methods.learnt_mask import LearntMask
from methods.moments import scores_trained
from sanity.grid.cells import DENSE, NO_CHECK, Cell, CheckSpec
from sanity.grid.experiment import Experiment
from sanity.grid.references import spec_of_counts
from sanity.grid.search_recipe import search_recipe
from sanity.store.identity import Form, differing, encoded


def cell(cell: Cell, experiment: Experiment) -> str:
    """Returns the name of a cell's record. It is known before anything is computed."""
    own = {"ratio": cell.ratio, "seed": cell.seed, **experiment.inputs(cell)}
    if experiment.config.match == "live" and cell.method.name != DENSE:
        own["match"] = "live"

    def make() -> Form:
        shared = {**_of_method(cell, experiment), "check": asdict(cell.check), **_of_both(cell, experiment)}
        return Form({**experiment.encoded_setting, **encoded(shared)}, own)

    return experiment.once((cell.method, cell.check, *own), make).hash(own)


def _of_method(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    options = {} if cell.method.name == DENSE else differing(experiment.method(cell))
    return {"method": asdict(cell.method), "options": options}


def _of_both(cell: Cell, experiment: Experiment) -> dict[str, Any]:
    """Returns the fields of method and check together. `altered` and `seen` are left out where they add nothing:
    records of earlier versions lack them, and must keep their keys."""
    fields: dict[str, Any] = {
        "code": [cell.method.fingerprint(), cell.check.fingerprint(), *filter(None, [experiment.setting["code"]])]
    }
    if cell.method.name != DENSE and type(experiment.altered(cell)) is not type(experiment.method(cell)):
        fields["altered"] = experiment.altered(cell).key()
    seen = experiment.part(cell, "corrupt")
    if (reference := cell.check.reference()) is not None:
        fields["reference"] = experiment.method(replace(cell, method=reference)).key()
    if (counting := spec_of_counts(cell.method)) is not None:
        fields["counts_from"] = experiment.method(replace(cell, method=counting)).key()
    if any("+" in part for part in seen.labels) and not seen.is_control:
        fields["seen"] = seen.labels
    if read := experiment.inputs_of(seen):
        fields["check_reads"] = read
    return fields


def mask(
    cell: Cell,
    experiment: Experiment,
    ratio: float,
    number: int,
    reference: str = "",
    match: str = "",
) -> str:
    """Returns the name of the mask that the search of `cell` computes in round `number`, pruned to `ratio`.

    The data are part of the name only if the method uses them. reference: the mask that the check refers to, if any.
    match: the `live_match` of a search whose ticket's live weights are to meet the budget.
    """
    method = experiment.altered(cell)
    own = {"ratio": ratio, "seed": cell.seed, **experiment.inputs(cell)}
    if scores_trained(method):
        own["round"] = number
    if reference:
        own["reference"] = reference
    if match:
        own["match"] = match

    def make() -> Form:
        shared = encoded(_of_search(cell, method, experiment))
        return Form({**experiment.encoded_network, **shared}, own)

    return experiment.once(("mask", cell.method, cell.check, *own), make).hash(own)


def live_match(perturbing: CheckSpec, reference: str) -> str:
    """Returns what `mask` needs to know of the ticket whose live weights are counted.

    perturbing: the checks that perturb it first. reference: the mask that these refer to, if any.
    """
    return " ".join(["live", *perturbing.labels, perturbing.fingerprint(), reference])


def _of_search(cell: Cell, method: Method, experiment: Experiment) -> dict[str, Any]:
    recipe = experiment.recipe
    looks = method.needs_data or scores_trained(method)
    seen = experiment.part(cell, "corrupt")
    fields: dict[str, Any] = {
        "method": method.key(),
        "data_check": [cell.check.data_label(), seen.fingerprint(), *_read(seen, experiment)] if looks else "",
    }
    is_another = type(method) is not type(experiment.method(cell))
    altering = experiment.part(cell, "alter")
    if altering.fingerprint() or (is_another and not altering.is_control):
        fields["altered_by"] = [altering.labels, altering.fingerprint()]
    reallocating = experiment.part(cell, "reallocate")
    if not reallocating.is_control:
        fields["reallocated_by"] = [reallocating.labels, reallocating.fingerprint()]
    drawing = experiment.part(cell, "initialise")
    if not drawing.is_control:
        fields["drawn_by"] = [drawing.labels, drawing.fingerprint()]
    circumstances = [experiment.precision, experiment.device.type, experiment.config.deterministic]
    if scores_trained(method):
        return {**fields, "trained_by": [differing(recipe), *circumstances], "snapshots": []}
    if isinstance(method, LearntMask):
        return {**fields, "learnt_by": [differing(search_recipe(method, recipe)), *circumstances]}
    held_out = [recipe.holdout] if recipe.holdout else []
    seen_as: list[Any] = [recipe.normalise, recipe.crop_padding, recipe.flip, *held_out] if method.needs_data else []
    if method.needs_data and recipe.crop_scale is not None:
        seen_as.append(["crops", recipe.crop_scale, recipe.crop_ratio])
    if method.data is not None and method.data.whole:
        seen_as.append(f"batches of {method.data.batch_size or recipe.batch_size}")
    return {**fields, "seen_as": seen_as}


def dense(seed: int, data: CheckSpec, experiment: Experiment, drawn_by: CheckSpec = NO_CHECK) -> str:
    """Returns the name of the training of the unpruned network on the data after the checks `data`.

    drawn_by: the checks that draw its initialisation. Length and saved moments are not part of the name, since a longer
    training continues a shorter one.
    """

    def make() -> str:
        return ticket(experiment.dense_digest(seed, drawn_by), seed, data, experiment)

    return experiment.once(("dense", seed, data, drawn_by), make)


def ticket(digest: str, seed: int, data: CheckSpec, experiment: Experiment) -> str:
    """Returns the name of the training of the ticket with this digest on the data after the checks `data`."""
    shared = {**encoded(training_fields(digest, seed, data, experiment)), "snapshots": "[]"}
    return Form(shared).hash({})


def training_fields(digest: str, seed: int, data: CheckSpec, experiment: Experiment) -> dict[str, Any]:
    """Returns the fields of a training's record that determine the training."""
    return {
        **experiment.setting,
        "ticket": digest,
        "trained_on": [
            experiment.train.digest,
            experiment.test.digest,
            data.data_label(),
            *filter(None, [data.fingerprint()]),
            *_read(data, experiment),
        ],
        "recipe": differing(experiment.recipe),
        "precision": experiment.precision,
        "seed": seed,
        "device": experiment.device.type,
        "deterministic": experiment.config.deterministic,
    }


def _read(data: CheckSpec, experiment: Experiment) -> list[str]:
    """Returns the digest of what the checks `data` read beside the training set, as a list; empty for nothing."""
    return [*filter(None, [experiment.inputs_of(data)])]
