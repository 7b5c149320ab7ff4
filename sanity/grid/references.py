"""Finds the cells whose masks others need: of the method that a check refers to, or whose layer counts are taken."""

from collections.abc import Sequence
from functools import cache

import methods
from methods.counts_from import method_of_counts, named
from sanity.grid.cells import DENSE, NO_CHECK, Cell, CheckSpec, MethodSpec


def references(cells: Sequence[Cell]) -> list[Cell]:
    """Returns the cells whose masks `cells` need, each once."""
    needed = {check: check.reference() for check in dict.fromkeys(cell.check for cell in cells)}
    of_checks = [Cell(spec, NO_CHECK, cell.ratio, cell.seed) for cell in cells if (spec := needed[cell.check])]
    of_counts = [counted for cell in cells if (counted := cell_of_counts(cell)) is not None]
    return list(dict.fromkeys([*of_checks, *of_counts]))


def cell_of_counts(cell: Cell) -> Cell | None:
    """Returns the cell whose mask tells how many weights each layer of `cell` keeps (`allocation=from:METHOD`).

    It searches on the data and in the initial network that `cell` does, so that a check of these acts on the counts.
    None where the method names no other, and under a check that sets the allocation itself.
    """
    spec = spec_of_counts(cell.method)
    if spec is None or not _part(cell.check, "reallocate").is_control:
        return None
    return Cell(spec, _part(cell.check, "corrupt", "initialise"), cell.ratio, cell.seed)


def spec_of_counts(spec: MethodSpec) -> MethodSpec | None:
    """Returns the method whose layer counts this one takes; None where it names none.

    Raises `UserError` where no method is called so, and for one that has no layer counts to be found.
    """
    if spec.name == DENSE:
        return None
    return _spec_of_counts(methods.REGISTRY.load(spec.name) if ":" in spec.name else None, spec)


@cache
def _spec_of_counts(cls: object, spec: MethodSpec) -> MethodSpec | None:
    """cls: the class that one's own name has now, since another may have had it before; those of ours stay."""
    if method_of_counts(method := spec.build()) is None:
        return None
    return MethodSpec(*named(method.counts_from, spec.label))


@cache
def _part(check: CheckSpec, *hooks: str) -> CheckSpec:
    return check.part_with(*hooks)
