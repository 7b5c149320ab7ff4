"""Runs the grids of one request in rounds, each of which spends seeds where they decide something (`seeds=auto`)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sanity.config import RunConfig
from sanity.errors import UserError
from sanity.grid import keys, stored
from sanity.grid.cells import NO_CHECK, Cell
from sanity.grid.costs import Meter
from sanity.grid.design import Comparison, Counts, Design
from sanity.grid.engines import MakeRunner, engine
from sanity.grid.execution import distinct
from sanity.grid.plan import plan
from sanity.grid.preparation import prepare, share_networks
from sanity.grid.progress import Reporter, reporter
from sanity.grid.references import references
from sanity.grid.requests import remember
from sanity.grid.runner import Runner
from sanity.store import looks

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("sanity")
_DIGITS = 9  # to which reports round ratios

Point = tuple[int, Cell]
"""The number of a grid of the request, and a cell of it with the first seed."""
Place = tuple[str, str, str, str, str, float]
"""Data set, model, recipe, method, check and ratio, as a report names them."""
Judge = Callable[["pd.DataFrame"], Mapping[Place, float]]
"""Lists the comparisons of a frame of records that more seeds may decide, with the seeds that each probably needs
besides; NaN or infinity where that is not known."""


@dataclass(frozen=True)
class Outlook:
    """Tells where a request with `seeds=auto` stands.

    comparisons, open: how many there are, and how many are not decided. fewest, most: seeds of a comparison. hours: of
    training and searching so far. end: why no further seed is spent, see `sanity.grid.design`; empty if some are.
    cells_ahead, hours_ahead: what will probably decide those that are open. unknown: for how many of them that is not
    known, so that they count with as many seeds as are allowed.
    """

    comparisons: int
    open: int
    fewest: int
    most: int
    hours: float
    end: str
    cells_ahead: int
    hours_ahead: float
    unknown: int


class Rounds:
    """Runs a request round by round. What is stored counts as run, and is not run again."""

    def __init__(
        self,
        configs: Sequence[RunConfig],
        judge: Judge,
        stop: Callable[[], bool] = lambda: False,
        begins: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepares every grid. Raises `UserError` for a mistake in any of them, before anything is trained.

        stop, begins: as for `sanity.grid.execution.run_grids`.
        """
        self.configs, self.judge, self.stop, self.begins = configs, judge, stop, begins
        prepared = [prepare(config, configs) for config in configs]
        self.experiments = [experiment for experiment, _ in prepared]
        self.points: list[Point] = []
        for number, (experiment, cells) in enumerate(prepared):
            first = experiment.config.first_seeds[0]
            self.points += [(number, cell) for cell in cells if cell.seed == first]
        checked = [point for point in self.points if not point[1].check.is_control]
        self.comparisons = {
            Comparison(point, (point[0], replace(point[1], check=NO_CHECK))): point for point in checked
        }
        config = configs[0]
        most = {point: self._most(*point) for point in self.points}
        self.design = Design(
            tuple(self.points), tuple(self.comparisons), len(config.first_seeds), most, config.max_hours
        )
        self.counts: Counts = dict.fromkeys(self.points, 0)
        self.step = self.design.start()
        self.further: Mapping[Comparison, float] = {}
        self.meter = Meter()
        self.costs = self.meter.costs()
        self.rows: dict[tuple[int, Cell], dict[str, Any]] = {}
        self._make_runner: MakeRunner = Runner

    def run(self) -> None:
        """Runs to the end. Raises `Interrupted` if `stop` returns true; everything finished is in the store then."""
        for experiment in self.experiments:
            experiment.store.open()
        with reporter(0, self.configs[0].log) as reports_to, engine(self.configs[0]) as self._make_runner:
            reports_to.beside(self._open_of())
            while not self.step.end:
                self._remember()
                self._advance(reports_to)
                looks.remember(self.frame(), self.configs[0].results_dir)

    def _remember(self) -> None:
        for number, experiment in enumerate(self.experiments):
            remember([cell for of, cell in self.ahead() if of == number], experiment)

    def replay(self) -> None:
        """Follows what is stored up to the first step that is not, and runs nothing."""
        while not self.step.end and all(self._has_ended(*cell) for cell in self.ahead()):
            self._advance(Reporter(0, None, None))

    def ahead(self) -> list[tuple[int, Cell]]:
        """Returns the cells of the present step, each with the number of its grid, ordered by grid and seed."""
        return [
            (number, replace(cell, seed=seed))
            for seed in range(max(self.step.counts.values(), default=0))
            for number, cell in self.points
            if self.counts[number, cell] <= seed < self.step.counts[number, cell]
        ]

    def cells(self) -> list[list[Cell]]:
        """Returns for each grid the cells that were run and those ahead, at least those of the first seeds."""
        first = self.design.first
        wanted = {point: max(self.step.counts[point], min(first, self.design.most[point])) for point in self.points}
        return [
            [
                replace(cell, seed=seed)
                for seed in range(max(wanted.values()))
                for of, cell in self.points
                if of == number and seed < wanted[of, cell]
            ]
            for number in range(len(self.configs))
        ]

    def frame(self) -> "pd.DataFrame":
        """Returns one row per cell that was run, grid by grid and seed by seed."""
        import pandas as pd  # not for a plan of given seeds

        return pd.DataFrame(self.ordered())

    def ordered(self) -> list[dict[str, Any]]:
        """Returns the rows of `frame`."""
        order = {point: place for place, point in enumerate(self.points)}
        ordered = sorted(self.rows, key=lambda run: (run[0], run[1].seed, order[self._point(*run)]))
        return distinct(self.rows[run] for run in ordered)

    def outlook(self) -> Outlook:
        """Returns where the request stands."""
        seeds = [self.counts[comparison.check] for comparison in self.comparisons] or [*self.counts.values()]
        known, hours = self.design.expected(self.counts, self.further, self.costs)
        return Outlook(
            comparisons=len(self.comparisons),
            open=len(self.further),
            fewest=min(seeds),
            most=max(seeds),
            hours=self.costs.spent,
            end=self.step.end,
            cells_ahead=known,
            hours_ahead=hours,
            unknown=sum(not more < float("inf") for more in self.further.values()),
        )

    # -- one step ------------------------------------------------------------------------------------------------

    def _advance(self, reports_to: Reporter) -> None:
        """Runs the present step where it is not stored, looks at the results and decides on the next step."""
        ahead = self.ahead()
        for number in range(len(self.configs)):
            cells = [cell for of, cell in ahead if of == number]
            if cells:
                self._run(number, cells, ahead, reports_to)
        self.counts = self.step.counts
        self.costs = self.meter.costs()
        self.further = self._open(self.frame())
        self.step = self.design.after(self.counts, self.further, self.costs)
        reports_to.beside(self._open_of())

    def _open_of(self) -> str:
        total, seeds = len(self.comparisons), max(self.counts.values())
        open_now = len(self.further) if self.rows else total
        return f"{open_now} of {total} comparisons open after {seeds} seed{'s' * (seeds != 1)}"

    def _run(self, number: int, cells: Sequence[Cell], ahead: Sequence[tuple[int, Cell]], reports_to: Reporter) -> None:
        config = self.configs[number]
        sharing = {of for of, other in enumerate(self.configs) if of == number or share_networks(config, other)}
        asked = [cell for of, cell in ahead if of in sharing]
        experiment = self.experiments[number].asked_for([*asked, *references(asked)])
        planned = plan(cells, experiment)
        if not planned.is_done:
            self.begins()
        reports_to.expect(round(planned.epochs))
        runner = self._make_runner(experiment, reports_to, self.stop)
        for cell, row in zip(cells, runner.run(cells), strict=True):
            self.rows[number, cell] = row
            self.meter.add(self._point(number, cell), cell.seed, row, experiment)

    def _point(self, number: int, cell: Cell) -> Point:
        return number, replace(cell, seed=self.configs[number].first_seeds[0])

    def _open(self, frame: "pd.DataFrame") -> dict[Comparison, float]:
        """Returns the comparisons of the request that are open."""
        further: dict[tuple[str, str, str, str, float], list[tuple[str, float]]] = {}
        for (dataset, model, recipe, method, check, ratio), missing in self.judge(frame).items():
            further.setdefault((dataset, model, method, check, round(ratio, _DIGITS)), []).append((recipe, missing))
        found = {}
        for comparison, (number, cell) in self.comparisons.items():
            config = self.configs[number]
            name = config.dataset, config.model, cell.method.label, cell.check.label, round(cell.ratio, _DIGITS)
            for recipe, missing in further.get(name, []):
                if recipe == config.recipe or recipe.startswith(f"{config.recipe} ("):  # told apart by its settings
                    found[comparison] = missing
        return found

    def _has_ended(self, number: int, cell: Cell) -> bool:
        experiment = self.experiments[number]
        return stored.has_ended(experiment, keys.cell(cell, experiment))

    def _most(self, number: int, cell: Cell) -> int:
        """Returns how many seeds a point may have: as many as are allowed, or as there are files that it needs."""
        experiment, allowed = self.experiments[number], self.configs[number].max_seeds
        for seed in range(allowed):
            try:
                experiment.inputs(replace(cell, seed=seed))
            except UserError:
                return seed
        return allowed
