"""Decides which cells are run next where the results decide on the seeds (`seeds=auto`).

Every point of the grid (a cell without its seed) starts with the same few seeds. Then come rounds. A round gives
further seeds to comparisons that are open, first to those that are probably decided with the fewest hours. The seeds of
a point are 0, 1, 2, ..., so that a count says which it has. All decisions are functions of what was recorded: a run
that was killed, another process at the same store and a later repetition come to the same end.
"""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Point = Hashable
Counts = Mapping[Any, int]
"""How many seeds each point has."""

ALL_DECIDED, MAX_SEEDS, MAX_HOURS = "all decided", "max_seeds", "max_hours"

ROUND = 24
"""New cells after which a round takes no further comparison: enough to fill a device, few enough to learn from soon."""
SLICE = 4
"""A round brings a comparison at most a fourth of the seeds that it is expected to need and of those that it has."""
SECONDS = 3600.0


@dataclass(frozen=True)
class Comparison:
    """A check and its control, paired by seed. Several checks may share a control."""

    check: Point
    control: Point


@dataclass(frozen=True)
class Costs:
    """What the seeds of the points take.

    pieces: the work that a seed of each point needs, by names that points have in common where they share the work.
    seconds: what a seed of each piece takes; a piece that is not there takes none.
    spent: hours so far.
    """

    pieces: Mapping[Any, frozenset[Hashable]]
    seconds: Mapping[Any, float]
    spent: float = 0.0

    def reached(self, counts: Counts) -> dict[Hashable, int]:
        """Returns for how many seeds each piece is done where the points have `counts` seeds."""
        reached: dict[Hashable, int] = {}
        for point, count in counts.items():
            for piece in self.pieces.get(point, ()):
                reached[piece] = max(count, reached.get(piece, 0))
        return reached

    def hours(self, reached: Mapping[Hashable, int], counts: Counts) -> float:
        """Returns the hours that bring the points of `counts` to as many seeds, from where the pieces are `reached`."""
        wanted = self.reached(counts)
        more = {piece: max(count - reached.get(piece, 0), 0) for piece, count in wanted.items()}
        return sum(count * self.seconds.get(piece, 0.0) for piece, count in more.items()) / SECONDS


@dataclass(frozen=True)
class Step:
    """What comes next. counts: how many seeds each point is to have; end: why nothing comes next, empty if it does."""

    counts: Counts
    end: str = ""


@dataclass(frozen=True)
class Design:
    """Spends seeds on the comparisons of a grid.

    points: all points, those that are in no comparison included. first: the seeds that all of them start with.
    most: the most seeds of each point. max_hours: the most hours in all.
    """

    points: tuple[Point, ...]
    comparisons: tuple[Comparison, ...]
    first: int
    most: Counts
    max_hours: float

    def start(self) -> Step:
        """Returns the first step: one seed of everything, which tells what a seed takes."""
        return Step(dict.fromkeys(self.points, 1))

    def after(self, counts: Counts, further: Mapping[Comparison, float], costs: Costs) -> Step:
        """Returns the step that follows.

        counts: the seeds that the points have, after `start` and any steps. further: the comparisons that are open,
        with the seeds that each probably needs besides; NaN or infinity where that is not known.
        """
        if any(counts[point] < min(self.first, self.most[point]) for point in self.points):
            step = self._beginning(counts, costs)
            return step if further or not step.end else Step(counts, ALL_DECIDED)
        return self._round(counts, further, costs)

    def expected(self, counts: Counts, further: Mapping[Comparison, float], costs: Costs) -> tuple[int, float]:
        """Returns the cells and the hours that probably decide what is open, within the most seeds of each point."""
        goal = dict(counts)
        for comparison, more in further.items():
            wanted = self._limit(comparison) if not math.isfinite(more) else self._pairs(comparison, counts) + more
            goal |= self._raised(goal, comparison, math.ceil(min(wanted, self._limit(comparison))))
        cells = sum(goal[point] - counts[point] for point in self.points)
        return cells, costs.hours(costs.reached(counts), goal)

    def _beginning(self, counts: Counts, costs: Costs) -> Step:
        """Returns the rest of the first seeds, or as many of them as the hours allow."""
        reached = costs.reached(counts)
        for seeds in range(self.first, min(counts.values()), -1):
            goal = {point: max(counts[point], min(seeds, self.most[point])) for point in self.points}
            if goal != counts and costs.spent + costs.hours(reached, goal) <= self.max_hours:
                return Step(goal)
        return Step(counts, MAX_HOURS)

    def _round(self, counts: Counts, further: Mapping[Comparison, float], costs: Costs) -> Step:
        if not further:
            return Step(counts, ALL_DECIDED)
        goal, too_long = dict(counts), False
        reached = costs.reached(counts)
        for comparison in self._nearest_first(counts, further, costs):
            if sum(goal.values()) - sum(counts.values()) >= ROUND:
                break
            pairs = self._pairs(comparison, counts)
            for seeds in self._slices(pairs, further[comparison], self._limit(comparison)):
                wanted = {**goal, **self._raised(goal, comparison, pairs + seeds)}
                if costs.spent + costs.hours(reached, wanted) <= self.max_hours:
                    goal = wanted
                    break
                too_long = True
        if goal != counts:
            return Step(goal)
        return Step(counts, MAX_HOURS if too_long else MAX_SEEDS)

    def _nearest_first(self, counts: Counts, further: Mapping[Comparison, float], costs: Costs) -> Iterable[Comparison]:
        """Returns the open comparisons by the hours to their decision; last those that no allowed seed will decide."""
        reached = costs.reached(counts)

        def place(comparison: Comparison) -> tuple[bool, float, float]:
            pairs, more = self._pairs(comparison, counts), further[comparison]
            hopeless = not pairs + more <= self._limit(comparison)
            if not math.isfinite(more):
                return True, math.inf, math.inf
            return hopeless, costs.hours(reached, self._raised(counts, comparison, pairs + math.ceil(more))), more

        open_ones = [comparison for comparison in self.comparisons if comparison in further]
        return sorted(open_ones, key=place)

    def _slices(self, pairs: int, more: float, limit: int) -> Iterable[int]:
        """Returns how many seeds a round may give to a comparison with so many pairs: a slice, or else a single one."""
        expected = more if math.isfinite(more) else limit
        slice_of_seeds = max(1, min(math.ceil(expected / SLICE), pairs // SLICE))
        return sorted({min(seeds, limit - pairs) for seeds in (slice_of_seeds, 1)} - {0}, reverse=True)

    def _raised(self, counts: Counts, comparison: Comparison, seeds: int) -> dict[Point, int]:
        """Returns the counts of both sides of a comparison that is to have so many pairs."""
        return {point: max(counts[point], seeds) for point in (comparison.check, comparison.control)}

    def _pairs(self, comparison: Comparison, counts: Counts) -> int:
        return min(counts[comparison.check], counts[comparison.control])

    def _limit(self, comparison: Comparison) -> int:
        return min(self.most[comparison.check], self.most[comparison.control])
