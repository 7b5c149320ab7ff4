"""Names every result by a hash of all that determines it. One function for each kind of result.

    cell      a record: one point of the grid
    mask      the mask that a search computed
    dense     a training of the unpruned network of any length; its files are the weights at chosen moments
    ticket    a training of a ticket

Methods, checks and models enter a key with their options; classes from outside this suite also with their source.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from methods.moments import scores_trained
from sanity.grid.cells import DENSE, Cell, CheckSpec
from sanity.store.identity import FORMAT, KEY_LENGTH, differing, plain

if TYPE_CHECKING:
    from methods.base import Method
    from sanity.grid.experiment import Experiment


def cell(cell: Cell, experiment: "Experiment") -> str:
    """Returns the name of a cell's record. It is known before anything is computed."""
    return _hash(
        {
            **experiment.encoded_setting,
            **experiment.once(cell.method, lambda: _encoded(_of_method(cell, experiment))),
            **experiment.once(cell.check, lambda: _encoded({"check": asdict(cell.check)})),
            **experiment.once((cell.method, cell.check), lambda: _encoded(_of_both(cell, experiment))),
            "ratio": _encoded_number(cell.ratio),
            "seed": _encoded_number(cell.seed),
            **_encoded(experiment.inputs(cell)),
        }
    )


def _of_method(cell: Cell, experiment: "Experiment") -> dict[str, Any]:
    options = {} if cell.method.name == DENSE else differing(experiment.method(cell))
    return {"method": asdict(cell.method), "options": options}


def _of_both(cell: Cell, experiment: "Experiment") -> dict[str, Any]:
    """Returns the fields of method and check together. `altered` and `seen` are left out where they add nothing:
    records of earlier versions lack them, and must keep their keys."""
    fields: dict[str, Any] = {
        "code": [cell.method.fingerprint(), cell.check.fingerprint(), *filter(None, [experiment.setting["code"]])]
    }
    if cell.method.name != DENSE and type(experiment.altered(cell)) is not type(experiment.method(cell)):
        fields["altered"] = experiment.altered(cell).key()
    seen = experiment.part(cell, "corrupt")
    if any("+" in part for part in seen.labels) and not seen.is_control:
        fields["seen"] = seen.labels
    return fields


def mask(cell: Cell, experiment: "Experiment", ratio: float, number: int) -> str:
    """Returns the name of the mask that the search of `cell` computes in round `number`, pruned to `ratio`.

    The data are part of the name only if the method uses them.
    """
    method = experiment.altered(cell)
    of_search = experiment.once(
        ("mask", cell.method, cell.check), lambda: _encoded(_of_search(cell, method, experiment))
    )
    own = {"ratio": _encoded_number(ratio), "seed": _encoded_number(cell.seed)}
    if scores_trained(method):
        own["round"] = _encoded_number(number)
    return _hash({**experiment.encoded_network, **of_search, **own, **_encoded(experiment.inputs(cell))})


def _of_search(cell: Cell, method: "Method", experiment: "Experiment") -> dict[str, Any]:
    recipe = experiment.recipe
    looks = method.needs_data or scores_trained(method)
    seen = experiment.part(cell, "corrupt")
    fields: dict[str, Any] = {
        "method": method.key(),
        "data_check": [cell.check.data_label(), seen.fingerprint()] if looks else "",
    }
    is_another = type(method) is not type(experiment.method(cell))
    altering = experiment.part(cell, "alter")
    if altering.fingerprint() or (is_another and not altering.is_control):
        fields["altered_by"] = [altering.labels, altering.fingerprint()]
    if scores_trained(method):
        circumstances = [experiment.precision, experiment.device.type, experiment.config.deterministic]
        return {**fields, "trained_by": [differing(recipe), *circumstances], "snapshots": []}
    held_out = [recipe.holdout] if recipe.holdout else []
    seen_as = [recipe.normalise, recipe.crop_padding, recipe.flip, *held_out] if method.needs_data else []
    return {**fields, "seen_as": seen_as}


def dense(seed: int, data: CheckSpec, experiment: "Experiment") -> str:
    """Returns the name of the training of the unpruned network on the data after the checks `data`.

    Length and saved moments are not part of the name, since a longer training continues a shorter one.
    """

    def make() -> str:
        return ticket(experiment.dense_digest(seed), seed, data, experiment)

    return experiment.once(("dense", seed, data), make)


def ticket(digest: str, seed: int, data: CheckSpec, experiment: "Experiment") -> str:
    """Returns the name of the training of the ticket with this digest on the data after the checks `data`."""
    return _hash({**_encoded(training_fields(digest, seed, data, experiment)), "snapshots": "[]"})


def training_fields(digest: str, seed: int, data: CheckSpec, experiment: "Experiment") -> dict[str, Any]:
    """Returns the fields of a training's record that determine the training."""
    return {
        **experiment.setting,
        "ticket": digest,
        "trained_on": [
            experiment.train.digest,
            experiment.test.digest,
            data.data_label(),
            *filter(None, [data.fingerprint()]),
        ],
        "recipe": differing(experiment.recipe),
        "precision": experiment.precision,
        "seed": seed,
        "device": experiment.device.type,
        "deterministic": experiment.config.deterministic,
    }


def encode(value: Any) -> str:
    """Encodes a value as the JSON that is hashed."""
    return json.dumps(plain(value), sort_keys=True, allow_nan=False, default=str)


@lru_cache(maxsize=1024, typed=True)
def _encoded_number(value: float) -> str:
    return encode(value)


def _encoded(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: encode(value) for name, value in fields.items()}


def _hash(encoded: Mapping[str, str]) -> str:
    """Computes `sanity.store.identity` from encoded values. Cells share most values, so each is encoded only once."""
    named = {"format": str(FORMAT), **encoded}
    text = ", ".join(f'"{name}": {named[name]}' for name in sorted(named))
    return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()[:KEY_LENGTH]
