"""Chooses what runs the tasks of a grid: this process (`engine=local`), or the workers of Ray (`engine=ray`)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from sanity.config import RunConfig
from sanity.config.engines import RAY, ray_options
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.grid.pool_runner import PoolRunner
from sanity.grid.progress import Reporter
from sanity.grid.runner import Runner
from sanity.training.precision import resolve_device


class Runs(Protocol):
    """Runs cells and returns their records in order."""

    def run(self, cells: Sequence[Cell]) -> list[dict[str, Any]]: ...


MakeRunner = Callable[[Experiment, Reporter, Callable[[], bool]], Runs]
"""Makes what runs a grid, from the experiment, what shows its progress, and what says whether to stop."""


@contextmanager
def engine(config: RunConfig) -> Iterator[MakeRunner]:
    """Context manager; what it needs, such as the workers of a cluster, is there for all grids of a request.

    Raises `UserError` if the engine is not installed, or cannot be reached.
    """
    if config.engine != RAY:
        yield Runner
        return
    from sanity.grid.ray_pool import pool_of  # imported only where it is asked for: it is an extra

    with pool_of(ray_options(config.engine, config.section(RAY)), resolve_device(config.device).type) as pool:
        yield partial(PoolRunner, pool=pool)
