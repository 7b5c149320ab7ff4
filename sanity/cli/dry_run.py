"""Writes what `dry_run=true` prints: the cells of a request, what is shared and stored, and the work ahead."""

from collections.abc import Callable

from sanity.cli.request import Request
from sanity.config import AUTO, RunConfig
from sanity.grid.plan import Plan, plan, text, without_garbage_collection
from sanity.grid.preparation import prepare
from sanity.grid.rounds import Judge, Outlook, Rounds

Forecast = Callable[[Outlook, RunConfig, int], str]


@without_garbage_collection()
def planned(request: Request, judge: Callable[[RunConfig], Judge], forecast: Forecast) -> str:
    """Returns the text. Raises `UserError` for a mistake in any run of the request.

    judge, forecast: with `seeds=auto`, which comparisons are open, and how that is said.
    """
    if request.configs[0].seeds == AUTO:
        return _in_rounds(request, judge(request.configs[0]), forecast)
    pages: list[str] = []
    before: frozenset[object] = frozenset()
    for config in request.configs:
        experiment, cells = prepare(config, request.configs)
        ahead = plan(cells, experiment, before)
        before |= ahead.names
        pages.append(text(cells, ahead, experiment))
    return "\n".join(pages)


def _in_rounds(request: Request, judge: Judge, forecast: Forecast) -> str:
    """The cells are those of the rounds so far and of the next, at first those of all first seeds."""
    rounds = Rounds(request.configs, judge)
    rounds.replay()
    pages: list[str] = []
    plans: list[Plan] = []
    for experiment, cells in zip(rounds.experiments, rounds.cells(), strict=True):
        plans.append(plan(cells, experiment, plans[-1].names if plans else frozenset()))
        pages.append(text(cells, plans[-1], experiment))
    trainings = sum(ahead.trainings for ahead in plans)
    return "\n".join([*pages, forecast(rounds.outlook(), request.configs[0], trainings)])
