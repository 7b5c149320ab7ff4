"""Places methods among the records of a reference set: rank, difference to each, verdicts side by side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis import FIXED, Analysis
from reports.comparisons import Mean
from reports.labels import parse
from reports.methods_compared import OUTCOMES, REFERENCES, MethodComparison, claim
from reports.records import CONTROL, GROUP, SETTING, prepare, settings_of
from reports.references import DENSE
from reports.runs import Runs
from reports.statistics import Cell, summarise


@dataclass(frozen=True)
class Place:
    """Where a method stands at one ratio of one setting.

    setting: data set, network and recipe, of runs that differ in a setting with that.
    rank: by mean accuracy among all methods that were run at it, 1 for the highest; of: how many these are.
    others: every method of the set with its mean accuracy, the highest first, and how this one compares with it.
    """

    setting: tuple[str, ...]
    method: str
    ratio: float
    accuracy: Mean
    rank: int
    of: int
    others: tuple[MethodComparison, ...]

    def counts(self) -> list[tuple[str, int]]:
        """Returns how many of the others this method is better than, as good as and so on."""
        found = [one.outcome for one in self.others]
        return [(outcome, found.count(outcome)) for outcome in OUTCOMES if outcome in found]


@dataclass(frozen=True)
class Placement:
    """Own methods among those of a reference set.

    places: for each own method and ratio, setting by setting.
    cells: the comparisons of checks with their controls, for the settings, checks and ratios of the own methods: of
        these first.
    own: labels of the own methods.
    """

    places: tuple[Place, ...]
    cells: tuple[Cell, ...]
    own: tuple[str, ...]

    @property
    def settings(self) -> tuple[tuple[str, ...], ...]:
        """The settings in which own methods stand."""
        return tuple(dict.fromkeys(place.setting for place in self.places))


def placement(own: pd.DataFrame, reference: pd.DataFrame, analysis: Analysis) -> Placement:
    """Returns where the methods of `own` stand among those of `reference`, paired by seed.

    A method that both have counts as one's own. Records of another data set, network or recipe are left out. Several
    settings, such as two networks or two runs of a method that differ in an option of the recipe, are placed each by
    itself. A claim, within which Holm's correction is made, is one method against one other over the ratios that both
    have in one setting.

    `analysis.design` is that of the own methods. Checks of the methods of the set are judged by the seeds it names.
    So are the differences to a method of which the own one has all seeds and more: results had no say in these.
    """
    theirs = _others(own, reference)
    frame = pd.concat([own, theirs], ignore_index=True)
    analysis = replace(analysis, compare="none")
    done = {key: runs.by_seed() for key, runs in Runs.of(prepare(frame)).groups(GROUP).items()}
    labels = tuple(label for label in dict.fromkeys(own["method"]) if label != DENSE)
    settings: dict[tuple[str, ...], dict[tuple[str, float], Runs]] = {}
    for (*setting, method, check, ratio), runs in done.items():
        if check == CONTROL and ratio > 0:
            settings.setdefault(tuple(map(str, setting)), {})[str(method), float(ratio)] = runs
    places: list[Place] = []
    for where, tickets in settings.items():
        versus = partial(_versus, where, tickets, analysis)
        for label in labels:
            places += _places(where, label, tickets, labels, analysis.metric, versus)
    ours = [cell for cell in summarise(own, analysis).cells if cell.comparison]
    asked = {(*setting_of(cell), cell.check, cell.ratio) for cell in ours}
    of_set = summarise(theirs, replace(analysis, design=FIXED)).cells if asked and len(theirs) else ()
    beside = [cell for cell in of_set if cell.comparison and (*setting_of(cell), cell.check, cell.ratio) in asked]
    return Placement(tuple(places), (*ours, *beside), labels)


def setting_of(cell: Cell) -> tuple[str, ...]:
    """Returns data set, network and recipe of a cell."""
    return cell.dataset, cell.model, cell.recipe


def of_settings(records: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Returns the records whose data set, network and recipe are among those of some other records."""
    settings = set(other[SETTING].itertuples(index=False, name=None))
    rows = records[SETTING].itertuples(index=False, name=None)
    return records[np.array([setting in settings for setting in rows], dtype=bool)]


def comparable(records: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Returns those of some records that others can be compared with: of the same data set, network and recipe, on the
    same data, trained by the same settings, as far as both say theirs."""
    chosen = of_settings(records, others)
    both = pd.concat([chosen, others], ignore_index=True)
    facts = [settings_of(both), *(both[name] for name in ("data_digest",) if name in both.columns)]
    alike = np.ones(len(chosen), dtype=bool)
    for fact in facts:
        mine, theirs = fact[: len(chosen)], set(fact[len(chosen) :].dropna())
        alike &= (mine.isna() | mine.isin(theirs) | (not theirs)).to_numpy(dtype=bool)
    return chosen[alike]


def _others(own: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Returns the records of the set that the own ones can be compared with and that are of other methods."""
    return comparable(reference[~reference["method"].isin(set(own["method"]))], own)


def with_baselines(own: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Returns the own records with the set's dense network, random and magnitude pruning, to which a report refers."""
    theirs = _others(own, reference)
    plain = pd.Series([_is_baseline(label) for label in theirs["method"]], index=theirs.index, dtype=bool)
    ratios = {0.0, *own["ratio"]}
    shown = plain & (theirs["check"] == CONTROL) & theirs["ratio"].isin(ratios)
    return pd.concat([own, theirs[shown]], ignore_index=True)


def _is_baseline(label: str) -> bool:
    """Whether a label is the dense network, or random or magnitude pruning by one ranking of the whole network."""
    method = parse(label)[0]
    return method.name in (DENSE, *REFERENCES) and method.options in ((), (("allocation", "global"),))


def _versus(
    setting: tuple[str, ...], tickets: Mapping[tuple[str, float], Runs], analysis: Analysis, label: str, other: str
) -> Iterator[MethodComparison]:
    """Compares an own method with one of the set at every ratio that both have."""
    shared = [ratio for method, ratio in tickets if method == label and (other, ratio) in tickets]
    seeds = [(set(tickets[label, ratio]["seed"]), set(tickets[other, ratio]["seed"])) for ratio in shared]
    further = all(theirs <= ours for ours, theirs in seeds) and any(theirs < ours for ours, theirs in seeds)
    return claim(setting, label, other, tickets, replace(analysis, design=FIXED) if further else analysis)


def _places(
    setting: tuple[str, ...],
    label: str,
    tickets: Mapping[tuple[str, float], Runs],
    own: Sequence[str],
    metric: str,
    versus: Callable[[str, str], Iterator[MethodComparison]],
) -> Iterator[Place]:
    """Yields the places of a method, a ratio each. versus: compares two methods at every ratio that both have."""
    others = [method for method in dict.fromkeys(method for method, _ in tickets) if method not in own]
    compared = [comparison for other in others for comparison in versus(label, other)]
    for ratio in sorted(ratio for method, ratio in tickets if method == label):
        accuracy = Mean.of(tickets[label, ratio][metric])
        beside = sorted((one for one in compared if one.ratio == ratio), key=lambda one: -one.other.mean)
        rank = 1 + sum(one.other.mean > accuracy.mean for one in beside)
        yield Place(setting, label, ratio, accuracy, rank, 1 + len(beside), tuple(beside))


def flat(placed: Placement) -> list[dict[str, Any]]:
    """Returns a row for each own method, ratio and method of the set, with the numbers of the comparison."""
    return [
        {
            **dict(zip(SETTING, place.setting, strict=True)),
            "method": place.method, "ratio": place.ratio, "rank": place.rank, "of": place.of,
            "against": one.reference, "accuracy": place.accuracy.mean, "other": one.other.mean,
            "difference": one.comparison.difference.mean, "n": one.comparison.difference.n,
            "low": one.comparison.low, "high": one.comparison.high, "outcome": one.outcome,
        }
        for place in placed.places for one in place.others
    ]  # fmt: skip
