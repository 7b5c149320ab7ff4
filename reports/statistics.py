"""What a report says about each cell of the grid: mean, difference to the control, verdict, delta to the paper."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from reports.analysis import METRICS, SEQUENTIAL, USUAL, Analysis
from reports.channels import Smaller
from reports.comparisons import Comparison, Mean, compare
from reports.designs import Design, design_of
from reports.methods_compared import MethodComparison, methods_compared
from reports.outcomes import Outcomes
from reports.paper import PaperDelta, paper_delta
from reports.records import CONTROL, GROUP, prepare
from reports.runs import Runs, average, highest, recorded
from reports.search_costs import SearchCost
from reports.settling import Settling
from reports.verdicts import decided

NAN = math.nan


@dataclass(frozen=True)
class Cell:
    """All seeds of one (dataset, model, recipe, method, check, ratio)."""

    dataset: str
    model: str
    recipe: str
    method: str
    check: str
    ratio: float
    seeds: tuple[int, ...]  # of runs that took place
    accuracy: Mean
    failed: Mapping[str, int] = field(default_factory=dict)  # why, and how often, a method or a training broke off
    unusable: Mapping[str, int] = field(default_factory=dict)  # why, and how often, a record could not be counted
    zeroed: int = 0  # diverged runs without an accuracy that count as 0, since the number of classes is not recorded
    missing: int = 0  # runs that the grid asks for and the store does not have
    asked: int = 0  # how many runs the published table has for the cell, where it has it
    diverged: tuple[int, ...] = ()  # the seeds of these runs; they count
    collapsed: dict[str, int] = field(default_factory=dict)  # layer without any weight -> in how many runs
    collapsed_runs: int = 0
    kept: float = NAN
    prunable: float = NAN
    off_budget: tuple[int, ...] = ()  # by how many weights tickets of somebody's code miss the ratio, ascending
    repeat_differs: int = 0  # in how many entries of the mask two calls of somebody's code with one seed differ at most
    left_dense: dict[str, float] = field(default_factory=dict)  # parameter that no mask covers -> its size
    actual_ratio: float = NAN
    effective_density: float = NAN
    best_epochs: tuple[int, ...] = ()  # those whose weights were scored or retrained for their test accuracy, ascending
    smaller: Smaller | None = None  # without the removed channels
    overlap: float = NAN
    expected_overlap: float = NAN
    layers: dict[str, float] = field(default_factory=dict)  # layer -> mean density, in the network's order
    layer_kinds: dict[str, str] = field(default_factory=dict)  # layer -> "conv", "fc"; empty where it is not recorded
    runs: tuple[float, ...] = ()  # the accuracies, by seed
    outcomes: Outcomes = field(default_factory=Outcomes)
    cost: SearchCost = field(default_factory=SearchCost)
    settling: Settling | None = None  # of early-bird tickets
    match: str = "counts"  # whether kept weights meet the ratio, or with "live" those on a path
    predicted: str = ""  # what the check must do, see `checks.base.Prediction`; empty where that is not recorded
    function_gap: float = NAN  # largest relative difference of the logits before training, where these must be equal
    check_words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of checks that are not ours, by name
    moments: Mapping[str, float] = field(default_factory=dict)  # option that names one -> epochs of dense training
    dose: Mapping[str, Any] | None = None  # of a check that has one; see `reports.doses.Dose`
    comparison: Comparison | None = None  # None for the control and for the dense network
    paper: PaperDelta | None = None

    @property
    def setting(self) -> tuple[str, str, str]:
        return self.dataset, self.model, self.recipe

    @property
    def compared(self) -> Comparison:
        """The comparison of a cell that has one, which callers have selected by `comparison`."""
        assert self.comparison is not None, f"{self.method} {self.check} is not compared"
        return self.comparison

    @property
    def never_run(self) -> bool:
        """Whether it was planned, or a paper prints it, but no run was tried."""
        return not (self.seeds or self.failed or self.unusable)


@dataclass(frozen=True)
class Summary:
    """Every cell of a frame, in the order in which the frame names them, ratios ascending."""

    cells: tuple[Cell, ...]
    metric: str
    margin: float
    alpha: float
    design: str = "fixed"
    looked_at: int = 0  # the fewest seeds with which a report has shown these checks before; 0 where none has
    methods: tuple[MethodComparison, ...] = ()  # with random and with magnitude, where these are among them

    def select(self, **where: object) -> list[Cell]:
        """The cells with these values, as in `select(method="grasp", check="none")`."""
        names = tuple(where)
        if names not in self._selections:
            chosen: dict[tuple[object, ...], list[Cell]] = {}
            for cell in self.cells:
                chosen.setdefault(tuple(getattr(cell, name) for name in names), []).append(cell)
            self._selections[names] = chosen
        return list(self._selections[names].get(tuple(where.values()), ()))

    @cached_property
    def _selections(self) -> dict[tuple[str, ...], dict[tuple[object, ...], list[Cell]]]:
        """Columns -> their values -> the cells: what `select` was asked for before."""
        return {}

    def names(self, what: str, cells: Sequence[Cell] | None = None) -> list:
        """The values of a cell's attribute `what`, each once, in order."""
        return list(dict.fromkeys(getattr(cell, what) for cell in (self.cells if cells is None else cells)))


def summarise(frame: pd.DataFrame, analysis: Analysis = USUAL) -> Summary:
    """The statistics of a frame of records. Raises `UserError` as `records.prepare` does."""
    groups = Runs.of(prepare(frame)).groups(GROUP)
    if looked_at := _looked_at(groups):
        analysis = replace(analysis, design=SEQUENTIAL)
    metric, margin, alpha, design = analysis.metric, analysis.margin, analysis.alpha, design_of(analysis.design)
    done = {key: rows.by_seed() for key, rows in groups.items()}
    cells = []
    for key, rows in groups.items():
        control = done.get((*key[:4], CONTROL, key[5]))
        comparison = None if key[4] == CONTROL else compare(done[key], control, metric, margin, design)
        cells.append(_cell(key, rows, done[key], comparison, metric))
    final = _with_verdicts(_ordered(cells), margin, alpha, design)
    methods = methods_compared(done, analysis) if analysis.compare == "methods" else ()
    return Summary(tuple(final), metric, margin, alpha, design.name, looked_at, methods)


def _looked_at(groups: Mapping[tuple[Any, ...], Runs]) -> int:
    """The fewest seeds with which a report has shown a check of this frame before it had those that it has now."""
    looks = [
        (min(recorded(rows["earlier_look"]), default=NAN), rows) for key, rows in groups.items() if key[4] != CONTROL
    ]
    return min((int(look) for look, rows in looks if look < len(rows.by_seed())), default=0)


def _cell(key: tuple[Any, ...], rows: Runs, done: Runs, comparison: Comparison | None, metric: str) -> Cell:
    emptied = [names if isinstance(names, list | tuple) else [] for names in done["collapsed"]]
    layers = [name for names in emptied for name in names]
    bare = key[4] == CONTROL
    dataset, model, recipe, method, check = map(str, key[:5])
    unknown = zip(done[METRICS[metric]], done["classes"], strict=True)
    return Cell(
        dataset, model, recipe, method, check, float(key[5]),
        seeds=tuple(int(seed) for seed in done["seed"]),
        accuracy=Mean.of(done[metric]),
        missing=_missing(rows),
        asked=int(highest(rows["asked"], 0)),
        failed=_reasons(rows, "failed"),
        unusable=_reasons(rows, "unreadable"),
        zeroed=sum(math.isnan(accuracy) and math.isnan(classes) for accuracy, classes in unknown),
        diverged=tuple(int(seed) for seed in done.where("status", "diverged".__eq__)["seed"]),
        collapsed={name: layers.count(name) for name in dict.fromkeys(layers)},
        collapsed_runs=sum(map(bool, emptied)),
        kept=average(done["kept"]),
        prunable=average(done["prunable"]),
        off_budget=tuple(sorted({int(off) for off in recorded(done["off_budget"])})),
        repeat_differs=int(highest(done["repeat_differs"], 0)),
        left_dense={name: size for sizes in done.get("left_dense") for name, size in sizes.items()},
        actual_ratio=average(done["actual_ratio"]),
        effective_density=average(done["effective_density"]),
        best_epochs=tuple(sorted({epoch for epochs in done["best_epochs"] if epochs for epoch in epochs})),
        smaller=Smaller.of(done),
        overlap=NAN if bare else average(done["mask_overlap"]),
        expected_overlap=NAN if bare else average(done["expected_overlap"]),
        layers=_densities(done),
        layer_kinds=_kinds(done),
        runs=tuple(float(value) for value in done[metric]),
        outcomes=Outcomes.of(done),
        cost=SearchCost.of(done),
        settling=Settling.of(done),
        match=str(rows["match"][0]),
        predicted=_predicted(rows),
        function_gap=highest(done["function_gap"]),
        check_words=next((words for words in rows["check_words"] if isinstance(words, Mapping)), {}),
        moments=next((moments for moments in rows["moments"] if isinstance(moments, Mapping)), {}),
        dose=next((dose for dose in rows["dose"] if isinstance(dose, Mapping)), None),
        comparison=comparison,
        paper=paper_delta(rows, done, metric),
    )  # fmt: skip


def _reasons(rows: Runs, status: str) -> dict[str, int]:
    """Why, and how often, runs have this status."""
    reasons = rows.where("status", status.__eq__)["reason"]
    counts = Counter("" if reason is None or reason != reason else str(reason) for reason in reasons)
    return dict(counts.most_common())


def _predicted(rows: Runs) -> str:
    """The prediction of all runs of a cell; empty where they have none, or not the same."""
    values = {value if isinstance(value, str) else "" for value in rows["predicted"]}
    return values.pop() if len(values) == 1 else ""


def _missing(rows: Runs) -> int:
    """Of a cell without any run, as many as the published table has for it: it is there as a single row."""
    count = rows["status"].count("missing")
    return max(count, int(highest(rows["asked"], 0))) if count == len(rows) else count


def _densities(done: Runs) -> dict[str, float]:
    shares: dict[str, list[float]] = {}
    for layers in done["layers"]:
        for name, count in (layers if isinstance(layers, dict) else {}).items():
            shares.setdefault(name, []).append(count["kept"] / count["weights"])
    return {name: sum(values) / len(values) for name, values in shares.items()}


def _kinds(done: Runs) -> dict[str, str]:
    return {
        name: count["kind"]
        for layers in done["layers"]
        for name, count in (layers if isinstance(layers, dict) else {}).items()
        if count.get("kind")
    }


def _with_verdicts(cells: list[Cell], margin: float, alpha: float, design: Design) -> list[Cell]:
    """Holm's correction within each claim, then the verdicts and, where undecided, the seeds needed."""
    claims: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        claims.setdefault((cell.setting, cell.method, cell.check), []).append(cell)
    final: dict[int, Comparison] = {}
    for claim in claims.values():
        compared = [cell for cell in claim if cell.comparison]
        comparisons = [cell.comparison for cell in compared if cell.comparison]
        final |= zip(map(id, compared), decided(comparisons, margin, alpha, design), strict=True)
    return [replace(cell, comparison=final.get(id(cell))) for cell in cells]


def _ordered(cells: list[Cell]) -> list[Cell]:
    """Settings, methods and checks as the frame names them first (the control before all checks), ratios ascending."""
    ranks = {name: {value: i for i, value in enumerate(dict.fromkeys(getattr(cell, name) for cell in cells))}
             for name in ("setting", "method", "check")}  # fmt: skip

    def place(cell: Cell) -> tuple:
        check = -1 if cell.check == CONTROL else ranks["check"][cell.check]
        return ranks["setting"][cell.setting], ranks["method"][cell.method], cell.ratio, check

    return sorted(cells, key=place)
