"""Finds the method whose layer counts another takes (`allocation=from:METHOD`), and refuses counts without effect."""

import re
from typing import TYPE_CHECKING

import methods
from sanity.errors import UserError
from sanity.masks.layerwise import FROM

if TYPE_CHECKING:
    from methods.base import Method

_NAMED = re.compile(r"([^@\[\]]+)(?:@([^@\[\]]+))?(?:\[([^\[\]]+)\])?")
"""METHOD, METHOD@VARIANT, METHOD[option=value,...]"""

Named = tuple[str, str, tuple[tuple[str, str], ...]]
"""The name of a method, its variant and its options."""


def named(text: str, where: str) -> Named:
    """Reads what names a method with its variant and options, as in `snip@lee2019[biases=never]`.

    where: begins the message of the `UserError` that is raised for text of another form.
    """
    parts = _NAMED.fullmatch(text)
    settings = [setting.partition("=") for setting in parts[3].split(",")] if parts and parts[3] else []
    options = {option.strip(): value for option, equals, value in settings if equals and option.strip()}
    if parts is None or len(options) < len(settings):
        raise UserError(
            f"{where}: should be METHOD, METHOD@VARIANT or METHOD[option=value,...] with each option once, as in "
            "synflow[rounds=1]"
        )
    return parts[1], parts[2] or "", tuple(options.items())


def method_of_counts(method: "Method") -> "Method | None":
    """Returns the method that `method` takes its layer counts from; None where it names none.

    Raises `UserError` where no method is called so, and for one whose layer counts cannot be found by a search.
    """
    if not method.counts_from:
        return None
    where = f"{method.called}.allocation={FROM}{method.counts_from}"
    name, variant, options = named(method.counts_from, where)
    try:
        counted = methods.get(name, variant, **dict(options))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if counted.counts_from:
        raise UserError(f"{where}: {name} takes its layer counts from {counted.counts_from} itself; name that one")
    if counted.reads_files:
        raise UserError(f"{where}: {name} reads its masks from files; name a method that finds them")
    if counted.starts_dense:
        raise UserError(f"{where}: {name} starts from the dense network: it has no layer counts before training")
    return counted


def refuse_allocation(method: "Method") -> None:
    """Raises `UserError` where the layer counts of a method are set that come of themselves with its mask."""
    if method.allocation != "global":
        raise UserError(
            f"{method.called}.allocation={method.allocation}: has no effect, as the mask itself decides how many "
            "weights each layer keeps; leave it out"
        )
