"""Shows a placement: sentences for the terminal, tables for the report."""

from collections.abc import Iterator

from reports.answer import Value
from reports.methods_compared import MethodComparison
from reports.placement import Placement, setting_of
from reports.statistics import Cell
from reports.table import Table
from reports.text import say
from reports.wording import (
    SYMBOLS,
    check_name,
    mean_std,
    method_name,
    outcome_name,
    percent,
    points,
    verdict_name,
    with_interval,
)


def sentences(placed: Placement) -> Iterator[str]:
    """Yields where each method stands at each ratio, and what each check did to it and to the set's methods."""
    for place in placed.places:
        counts = ", ".join(f"{count} {outcome_name(outcome)}" for outcome, count in place.counts())
        name = _named(placed, place.setting, place.method)
        yield say("placement.rank", method=name, ratio=percent(place.ratio), counts=counts,
                  accuracy=mean_std(place.accuracy), rank=place.rank, of=place.of)  # fmt: skip
    for cell in placed.cells:
        if cell.method in placed.own and cell.comparison:
            found = [_verdict(other) for other in placed.cells if other.method not in placed.own and _same(cell, other)]
            counts = ", ".join(f"{found.count(name)} {verdict_name(name)}" for name in dict.fromkeys(found))
            name = _named(placed, setting_of(cell), cell.method)
            yield say("placement.check", method=name, ratio=percent(cell.ratio),
                      check=check_name(cell.check), verdict=verdict_name(_verdict(cell)),
                      others=counts or say("placement.nobody"))  # fmt: skip


def tables(placed: Placement) -> tuple[Table, ...]:
    """Returns the ranking at each ratio, and the verdicts of all methods side by side."""
    return tuple(table for table in (_ranking(placed), _verdicts(placed)) if table.rows)


def _ranking(placed: Placement) -> Table:
    """A row for each method at each ratio, in the order of their accuracies; one's own is among them."""
    rows = []
    for place in placed.places:
        name = _named(placed, place.setting, place.method)
        own = (Value(f"{name} {say('placement.own')}"), place.accuracy, Value(""), Value(""))
        ranked = [(Value(method_name(one.reference)), one.other, *_compared(one)) for one in place.others]
        ranked.insert(place.rank - 1, own)
        for rank, (shown, accuracy, *compared) in enumerate(ranked, 1):
            at, beside = Value(percent(place.ratio), place.ratio), Value(name)
            rows.append(
                (at, Value(f"{rank}", rank), shown, Value(mean_std(accuracy), accuracy.mean), beside, *compared)
            )
    columns = ("ratio", "rank", "method", "accuracy, %", "beside", "its difference", "it is")
    numeric = (True, True, False, True, False, True, False)
    return Table("placement", say("caption.placement"), columns, numeric, tuple(rows), (0, 2, 4, 6))


def _compared(one: MethodComparison) -> tuple[Value, Value]:
    """Returns the difference of one's own method to one of the set, and what that makes of it."""
    verdict, difference = one.comparison.verdict, one.comparison.difference
    shown = Value(with_interval(one.comparison) if difference.n else "", difference.mean)
    return shown, Value(f"{SYMBOLS[verdict]} {outcome_name(one.outcome)}", verdict=verdict)


def _verdicts(placed: Placement) -> Table:
    """A row for each method and ratio, a column for each check."""
    checks = list(dict.fromkeys(cell.check for cell in placed.cells))
    found = {(setting_of(cell), cell.method, cell.ratio, cell.check): cell for cell in placed.cells}
    rows = tuple(
        (
            Value(_named(placed, setting, method) + (f" {say('placement.own')}" if method in placed.own else "")),
            Value(percent(ratio), ratio),
            *(_square(found.get((setting, method, ratio, check))) for check in checks),
        )
        for setting, method, ratio in dict.fromkeys(
            (setting_of(cell), cell.method, cell.ratio) for cell in placed.cells
        )
    )
    columns = ("method", "ratio", *map(check_name, checks))
    return Table("verdicts", say("caption.verdicts"), columns, (False, True, *(False for _ in checks)), rows, (0, 1))


def _square(cell: Cell | None) -> Value:
    if cell is None or cell.comparison is None:
        return Value("")
    verdict, moved = cell.comparison.verdict, cell.comparison.difference
    change = f" {points(moved.mean, signed=True, digits=1)}" if moved.n and verdict != "identical" else ""
    return Value(f"{SYMBOLS[verdict]}{change}", moved.mean, verdict=verdict, word=verdict_name(verdict))


def _verdict(cell: Cell) -> str:
    return cell.comparison.verdict if cell.comparison else ""


def _same(cell: Cell, other: Cell) -> bool:
    return (setting_of(cell), cell.check, cell.ratio) == (setting_of(other), other.check, other.ratio)


def _named(placed: Placement, setting: tuple[str, ...], method: str) -> str:
    """Returns the name of a method; with what its setting does not share with the others, where there are several."""
    differs = [len(set(values)) > 1 for values in zip(*placed.settings, strict=True)]
    where = [text for text, tells in zip(setting, differs, strict=False) if tells]
    return f"{method_name(method)} ({', '.join(where)})" if where else method_name(method)
