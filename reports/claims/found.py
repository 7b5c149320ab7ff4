"""Looks up what the records say about a claim: verdicts, numbers of runs and intervals, computed anew each time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

import reproductions
from reports import inference
from reports.analysis import ALPHA, Analysis
from reports.claims.declared import Claim, Evidence
from reports.claims.outcomes import Outcome
from reports.comparisons import Comparison, compare
from reports.margin import margin_of
from reports.paper import PaperDelta
from reports.records import CONTROL, GROUP, SETTING, prepare
from reports.runs import Runs
from reports.statistics import summarise
from reports.text import say
from reports.verdicts import decided
from reports.wording import DATASETS
from sanity.errors import UserError
from sanity.store import PACKED, load_records

DENSE = "dense"
AT_A_RATIO = ("as claimed", "contradicted", "not found", "open")
STANDINGS = ("as claimed", "in part", *AT_A_RATIO[1:], "not tested")
HOLDS = {"equal": (0,), "better": (1,), "worse": (-1,), "no_worse": (0, 1), "higher": (1,), "lower": (-1,)}
"""Prediction -> the moves that it allows: 0 none beyond the margin, 1 up, -1 down."""
COMPARED = "compared"
"""The column of what is subtracted seed by seed."""


@dataclass(frozen=True)
class Point:
    """One ratio of a claim.

    standing: one of `AT_A_RATIO`. n: how many pairs, or runs beside a printed number.
    comparison: in the unit of the outcome.
    means: of the outcome on both sides; geometric ones where values are compared by their ratio.
    """

    ratio: float
    standing: str
    n: int
    comparison: Comparison | None = None
    means: tuple[float, float] | None = None
    paper: PaperDelta | None = None


@dataclass(frozen=True)
class Finding:
    """What some records say about a claim; without points where they are still to be measured.

    setting: network, data and recipe in words. margin: in the unit of the outcome.
    """

    evidence: Evidence
    setting: str
    margin: float
    points: tuple[Point, ...]


Found = Sequence[Finding]
"""What the records say about one claim: a finding for each comparison."""


def findings(claim: Claim) -> list[Finding]:
    """Returns what the records say about a claim. Raises `UserError` where they hold several settings of it."""
    return [_finding(evidence) for evidence in claim.evidence]


def standing(found: Sequence[Finding]) -> str:
    """Returns where a claim stands, one of `STANDINGS`: "in part" where it held at some ratios and failed at others.

    What was found elsewhere than where the claim was made counts only where nothing else was found.
    """
    counted = found if only_elsewhere(found) else [finding for finding in found if not finding.evidence.elsewhere]
    standings = {point.standing for finding in counted for point in finding.points}
    if not standings:
        return "not tested"
    if "as claimed" in standings and standings & {"contradicted", "not found"}:
        return "in part"
    return next(name for name in AT_A_RATIO if name in standings)


def only_elsewhere(found: Sequence[Finding]) -> bool:
    """Whether all that was measured is of another network or data set than the paper's."""
    measured = [finding.evidence.elsewhere for finding in found if finding.points]
    return bool(measured) and all(measured)


def _finding(evidence: Evidence) -> Finding:
    frame = _records(evidence)
    if frame is None:
        return Finding(evidence, "", 0.0, ())
    settings = set(frame[SETTING].itertuples(index=False, name=None))
    if len(settings) > 1:
        raise UserError(f"claims: {evidence.records} holds {len(settings)} settings of {evidence.method}; name one")
    margin = margin_of(frame) if evidence.margin is None else evidence.margin
    points = tuple(_printed(evidence, frame, margin) if evidence.table else _compared(evidence, frame, margin))
    dataset, model, recipe = settings.pop()
    setting = say("claims.setting", dataset=DATASETS.get(dataset, dataset), model=model, recipe=recipe)
    return Finding(evidence, setting, margin, points)


def _records(evidence: Evidence) -> pd.DataFrame | None:
    """Returns the records of both sides of the comparison, prepared; None where nothing of it was measured yet.

    Records that lack the outcome are left out.
    """
    frame = _folder(evidence.records)
    if frame is None:
        return None
    for column, value in evidence.where.items():
        frame = frame[frame[column] == value]
    named = frame["method"].isin([evidence.method, evidence.against])
    frame = frame[named & frame["check"].isin([CONTROL, evidence.check])]
    frame = frame.assign(**{COMPARED: evidence.measured.scaled(frame)})
    frame = frame[frame[COMPARED].notna()]
    return frame if (frame["method"] == evidence.method).any() else None


@lru_cache(maxsize=4)
def _folder(name: str) -> pd.DataFrame | None:
    folder = Path(reproductions.__file__).parent / name
    return prepare(load_records(folder)) if (folder / PACKED).exists() else None


def _compared(evidence: Evidence, frame: pd.DataFrame, margin: float) -> Iterator[Point]:
    """Compares seed by seed; Holm's correction is made over the ratios of the claim."""
    outcome = evidence.measured
    margin, told_by = outcome.margin(margin), COMPARED if outcome.accuracy else "last"
    done = {key[3:]: runs.by_seed() for key, runs in Runs.of(frame).groups(GROUP).items()}
    check = evidence.check or CONTROL
    ratios = [ratio for method, which, ratio in done if method == evidence.method and which == check]
    ratios = [ratio for ratio in sorted(ratios) if not evidence.ratio or ratio in evidence.ratio]
    other = evidence.against or evidence.method
    sides = [
        (done[evidence.method, check, ratio], done.get((other, CONTROL, 0.0 if other == DENSE else ratio)))
        for ratio in ratios
    ]
    comparisons = decided([compare(*side, COMPARED, margin, accuracy=told_by) for side in sides], margin, ALPHA)
    for ratio, side, comparison in zip(ratios, sides, comparisons, strict=True):
        if comparison.difference.n:
            held = _standing(comparison, HOLDS[evidence.predicted], margin)
            yield Point(ratio, held, comparison.difference.n, outcome.restored(comparison), _means(outcome, *side))


def _means(outcome: Outcome, done: Runs, reference: Runs | None) -> tuple[float, float]:
    """Returns the mean outcome of both sides over the seeds that both have."""
    assert reference is not None  # where pairs were compared
    seeds = set(done["seed"]) & set(reference["seed"])
    ours, theirs = (outcome.mean(runs.where("seed", seeds.__contains__)[COMPARED]) for runs in (done, reference))
    return ours, theirs


def _standing(comparison: Comparison, allowed: Sequence[int], margin: float) -> str:
    """Returns one of `AT_A_RATIO`. Equivalence contradicts no difference: it may be smaller than the margin."""
    if comparison.verdict in ("identical", "equivalent"):
        return "as claimed" if 0 in allowed else "not found"
    if comparison.verdict != "different":
        return "as claimed" if {0, 1} <= set(allowed) and _no_worse(comparison, margin) else "open"
    return "as claimed" if (1 if comparison.difference.mean > 0 else -1) in allowed else "contradicted"


def _no_worse(comparison: Comparison, margin: float) -> bool:
    """Whether the interval excludes a loss of the margin, which is one of the two sides of equivalence.

    As with equivalence not where skewed differences hold a loss beyond it: such losses may be rare and large.
    """
    moves = [moved for _, moved in comparison.seeds]
    if comparison.verdict == "not testable" or (min(moves) < -margin and inference.skewed(moves)):
        return False
    return comparison.low > -margin


def _printed(evidence: Evidence, frame: pd.DataFrame, margin: float) -> Iterator[Point]:
    """Sets the paper's own numbers beside the records."""
    attached = reproductions.load(evidence.table).attach(frame)
    attached = attached[(attached["method"] == evidence.method) & (attached["status"] != "missing")]
    analysis = Analysis(margin=margin, compare="none")
    for cell in summarise(attached, analysis).cells:
        if cell.paper and (not evidence.ratio or cell.ratio in evidence.ratio):
            inside = cell.paper.inside
            held = "open" if inside is None else "as claimed" if inside else "contradicted"
            yield Point(cell.ratio, held, cell.paper.ours.n, paper=cell.paper)
