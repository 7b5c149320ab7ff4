"""Sets every comparison beside random pruning: where that does as well, a check that changes nothing tells little."""

from reports.labels import parse
from reports.records import CONTROL
from reports.statistics import Cell, Summary

DENSE, RANDOM = "dense", "random"
BLIND = "blind"  # a control of the suite, no way to prune


def is_random(method: str) -> bool:
    """Whether a label names random pruning, in whatever variant."""
    return parse(method)[0].name == RANDOM


def is_control(method: str) -> bool:
    """Whether a label names a method that is there to test the suite, in whatever variant."""
    return parse(method)[0].name == BLIND


def could_not_fail(cell: Cell, summary: Summary) -> str:
    """Why a check that is equivalent could not have come out otherwise; empty where it could, or is not equivalent.

    "dense": at this ratio random pruning is less than the margin worse than the dense network. "ticket": than the
    method's own ticket; of random pruning itself that says nothing.
    """
    if cell.comparison is None or cell.comparison.verdict != "equivalent":
        return ""
    enough = _mean_of_random(cell, summary) + summary.margin
    if enough >= _accuracy_of_dense(summary, cell.setting):
        return "dense"
    return "ticket" if not is_random(cell.method) and enough >= _ticket(cell, summary) else ""


def as_good_as_dense(summary: Summary, setting: tuple[str, str, str]) -> tuple[list[float], list[float]]:
    """The ratios at which random pruning is less than the margin worse than the dense network, and all at which both
    were run."""
    dense = _accuracy_of_dense(summary, setting)
    tickets = [cell for cell in summary.select(setting=setting, check=CONTROL) if is_random(cell.method)]
    means: dict[float, float] = {}
    for ticket in tickets:
        if ticket.accuracy.n and dense == dense:
            means[ticket.ratio] = max(ticket.accuracy.mean, means.get(ticket.ratio, 0.0))
    return [ratio for ratio, mean in means.items() if mean + summary.margin >= dense], list(means)


def _mean_of_random(cell: Cell, summary: Summary) -> float:
    """The mean accuracy of random pruning at a cell's ratio, the best of its variants; NaN where it was not run."""
    tickets = summary.select(setting=cell.setting, check=CONTROL, ratio=cell.ratio)
    return max((ticket.accuracy.mean for ticket in tickets if is_random(ticket.method) and ticket.accuracy.n),
               default=float("nan"))  # fmt: skip


def _accuracy_of_dense(summary: Summary, setting: tuple[str, str, str]) -> float:
    cells = summary.select(setting=setting, method=DENSE)
    return cells[0].accuracy.mean if cells else float("nan")


def _ticket(cell: Cell, summary: Summary) -> float:
    cells = summary.select(setting=cell.setting, method=cell.method, ratio=cell.ratio, check=CONTROL)
    return cells[0].accuracy.mean if cells else float("nan")
