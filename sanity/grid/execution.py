"""Runs the grids of one request and returns their records."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sanity.config import RunConfig, from_mapping
from sanity.console.trackers import tracking
from sanity.grid.engines import MakeRunner, engine
from sanity.grid.plan import plan
from sanity.grid.preparation import prepare
from sanity.grid.progress import reporter
from sanity.grid.requests import remember

if TYPE_CHECKING:
    import pandas as pd


def run_grids(configs: Sequence[RunConfig], stop: Callable[[], bool] = lambda: False) -> "pd.DataFrame":
    """Runs every grid and returns one row per cell; stored results are reused. See `rows_of_grids`."""
    import pandas as pd  # rows need none

    return pd.DataFrame(rows_of_grids(configs, stop))


def rows_of_grids(
    configs: Sequence[RunConfig], stop: Callable[[], bool] = lambda: False, begins: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """Runs every grid and returns the row of every cell; stored results are reused.

    configs: the runs of one request; a dense network that several of them start from is trained once.
    stop: called between steps; once it returns true, state is saved and `sanity.errors.Interrupted` is raised.
    begins: called before a grid runs of which a record is not stored.

    Raises `UserError` for a mistake in any of them, before anything is trained.
    """
    for later in configs[1:]:
        prepare(later, configs)
    with engine(configs[0]) as make_runner:
        return distinct(row for config in configs for row in _run_grid(config, configs, stop, begins, make_runner))


def distinct(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the rows; a cell that several grids of a request share, as the dense network, is one row."""
    return list({row["cell"]: row for row in rows}.values())


def run_keys(keys: Mapping[str, Any]) -> "pd.DataFrame":
    """Runs the grid of plain and dotted keys, as `run_grids` does."""
    return run_grids([from_mapping(keys)])


def _run_grid(
    config: RunConfig,
    together: Sequence[RunConfig],
    stop: Callable[[], bool],
    begins: Callable[[], None],
    make_runner: MakeRunner,
) -> list[dict[str, Any]]:
    experiment, cells = prepare(config, together)
    experiment.store.open()
    remember(cells, experiment)
    ahead = plan(cells, experiment)
    if not ahead.is_done:
        begins()
    total = round(ahead.epochs)
    with tracking(config.track, experiment.store.root) as tracked, reporter(total, config.log, tracked) as reports_to:
        return make_runner(experiment, reports_to, stop).run(cells)
