"""Writes what `dry_run=true` prints: the cells of a request, what is shared and stored, and the work ahead."""

from sanity.cli.request import Request
from sanity.config import AUTO
from sanity.grid.plan import Plan, plan, text
from sanity.grid.preparation import prepare


def planned(request: Request) -> str:
    """Returns the text. Raises `UserError` for a mistake in any run of the request."""
    if request.configs[0].seeds == AUTO:
        return _in_rounds(request)
    pages: list[str] = []
    before: frozenset[object] = frozenset()
    for config in request.configs:
        experiment, cells = prepare(config, request.configs)
        ahead = plan(cells, experiment, before)
        before |= ahead.names
        pages.append(text(cells, ahead, experiment))
    return "\n".join(pages)


def _in_rounds(request: Request) -> str:
    """The cells are those of the rounds so far and of the next, at first those of all first seeds."""
    from sanity.cli.auto_seeds import forecast, judge
    from sanity.grid.rounds import Rounds

    rounds = Rounds(request.configs, judge(request.configs[0]))
    rounds.replay()
    pages: list[str] = []
    plans: list[Plan] = []
    for experiment, cells in zip(rounds.experiments, rounds.cells(), strict=True):
        plans.append(plan(cells, experiment, plans[-1].names if plans else frozenset()))
        pages.append(text(cells, plans[-1], experiment))
    trainings = sum(ahead.trainings for ahead in plans)
    return "\n".join([*pages, forecast(rounds.outlook(), request.configs[0], trainings)])
