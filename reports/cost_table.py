"""The table of what the search of each ticket costs, beside its accuracy."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from reports.answer import Value
from reports.cell_tables import Column, of_cells, share_value
from reports.records import CONTROL
from reports.search_costs import SearchCost
from reports.statistics import Cell, Summary
from reports.table import Table, accuracy_value
from reports.text import say
from reports.wording import EN_DASH

_COLUMNS: tuple[tuple[str, Callable[[SearchCost], float], bool], ...] = (
    ("search, gradients", lambda cost: cost.gradients, False),
    ("training before, gradients", lambda cost: cost.before, False),
    ("both, of a dense training", lambda cost: cost.share, True),
    ("search, s", lambda cost: cost.seconds, False),
    ("training before, s", lambda cost: cost.seconds_before, False),
    ("operations of kept weights", lambda cost: cost.operations, True),
)
"""The name of each column, its number, and whether that is a share."""


def costs(summary: Summary) -> Table:
    """A row for each unperturbed ticket; no rows where no record says anything of its search."""
    columns: list[Column] = [("accuracy, %", True, lambda cell: accuracy_value(cell.accuracy.mean))]
    columns += [(name, True, partial(_value, get=get, is_share=is_share)) for name, get, is_share in _COLUMNS]
    columns.append(("operations without its channels", True, lambda cell: share_value(_without_channels(cell))))
    tickets = [cell for cell in summary.cells if cell.check == CONTROL and cell.ratio > 0]
    known = tickets if any(cell.cost.is_known for cell in tickets) else []
    return replace(of_cells("costs", say("caption.costs"), columns, known, summary), folded=say("caption.folded_costs"))


def _value(cell: Cell, get: Callable[[SearchCost], float], is_share: bool) -> Value:
    """A number of a cell's costs; a dash where it is not known."""
    number = get(cell.cost)
    text = f"{_digits(100 * number)} %" if is_share else _digits(number)
    return Value(EN_DASH if math.isnan(number) else text, number)


def _digits(number: float) -> str:
    """A number of at least three digits, thousands apart."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _without_channels(cell: Cell) -> float:
    return cell.smaller.operations if cell.smaller else math.nan
