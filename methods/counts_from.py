"""Finds the method whose layer counts another takes (`allocation=from:METHOD`)."""

from typing import TYPE_CHECKING

import methods
from sanity.errors import UserError
from sanity.masks.layerwise import FROM

if TYPE_CHECKING:
    from methods.base import Method


def method_of_counts(method: "Method") -> "Method | None":
    """Returns the method that `method` takes its layer counts from; None where it names none.

    Raises `UserError` where no method is called so, and for one whose layer counts cannot be found by a search.
    """
    if not method.counts_from:
        return None
    name, _, variant = method.counts_from.partition("@")
    where = f"{method.called}.allocation={FROM}{method.counts_from}"
    try:
        named = methods.get(name, variant)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if named.counts_from:
        raise UserError(f"{where}: {name} takes its layer counts from {named.counts_from} itself; name that one")
    if named.reads_files:
        raise UserError(f"{where}: {name} reads its masks from files; name a method that finds them")
    if named.starts_dense:
        raise UserError(f"{where}: {name} starts from the dense network: it has no layer counts before training")
    return named
