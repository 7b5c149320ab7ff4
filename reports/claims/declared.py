"""Reads the claims of a paper from its file into typed values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal, get_args

from reports.claims.outcomes import LAST, OUTCOMES, Outcome
from reproductions import claims
from sanity.errors import UserError, unknown

Prediction = Literal["equal", "lower", "higher", "better", "worse", "no_worse", "printed"]
PREDICTIONS: tuple[str, ...] = get_args(Prediction)
OF_ACCURACY: tuple[str, ...] = ("better", "worse", "no_worse", "printed")
"""Predictions that say which of two accuracies is to be preferred; of anything else a claim says lower or higher."""
LISTS = ("records", "method", "check", "against")
"""What may be a list in a file: every combination is a comparison of its own."""


@dataclass(frozen=True)
class Evidence:
    """Names the comparison that could refute a claim, and the records that hold it.

    records: a folder of records below reproductions/.
    method: the label of the method; its unperturbed tickets unless `check` names a check.
    check: compared with the unperturbed tickets of the same method, seed by seed.
    against: instead of that another method, compared seed by seed; "dense" is the unpruned network.
    predicted: what the claim says of the outcome: `equal` within the margin, `lower` or `higher`; of an accuracy also
        `better`, `worse`, `no_worse` (equal or better), or `printed`, the paper's own number.
    outcome: what is compared, one of `reports.claims.outcomes`; by default the accuracy after training.
    margin: differences up to it count as none, in the unit of the outcome. An accuracy has the margin of all reports
        where the claim states none; every other outcome needs one.
    table: the published table whose printed number is meant.
    ratio: the ratios at which the claim is made; empty for all that were measured.
    where: columns of the records and the value that they must have.
    note: how it was run, where that is not the paper's way.
    elsewhere: whether network or data are not the paper's, so that the claim is tested where it was not made.
    """

    records: str
    method: str
    predicted: str
    outcome: str = LAST
    margin: float | None = None
    check: str = ""
    against: str = ""
    table: str = ""
    ratio: tuple[float, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    elsewhere: bool = False

    def __post_init__(self) -> None:
        """Raises `UserError` for an unknown word, and where it is not said what is compared, or by which margin."""
        if self.predicted not in PREDICTIONS:
            raise unknown("prediction", self.predicted, PREDICTIONS)
        if self.outcome not in OUTCOMES:
            raise unknown("outcome", self.outcome, OUTCOMES)
        if not self.measured.accuracy and self.predicted in OF_ACCURACY:
            raise UserError(f"predicted={self.predicted}: {self.outcome} is no accuracy; say equal, lower or higher")
        if self.margin is None and not self.measured.accuracy:
            raise UserError(f"{self.records} {self.method}: {self.outcome} needs a margin, in {self.measured.unit}")
        if self.margin is not None and not self.margin > 0:
            raise UserError(f"margin={self.margin:g}: should be greater than 0")
        if self.table and self.outcome != LAST:
            raise UserError(f"outcome={self.outcome}: the printed numbers of a table are compared with {LAST}")
        if sum(map(bool, (self.check, self.against, self.table))) != 1:
            raise UserError(f"{self.records} {self.method}: name one of check, against and table")

    @property
    def measured(self) -> Outcome:
        """What is compared."""
        return OUTCOMES[self.outcome]


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper that can fail.

    source: where the paper says it, or what it follows from. unseen: whether that place was not seen in print.
    untested: why nothing here tests it; `evidence`: what does.
    """

    says: str
    source: str
    test: str
    untested: str = ""
    evidence: tuple[Evidence, ...] = ()
    unseen: bool = False


@dataclass(frozen=True)
class Paper:
    """A paper's claims, and (text, source) of each place where its code departs from its text.

    setting: its networks and data. read: what of the paper was seen in print.
    """

    name: str
    short: str
    citation: str
    setting: str
    read: str
    claims: tuple[Claim, ...]
    differs: tuple[tuple[str, str], ...]


def read(name: str) -> Paper:
    """Reads one paper. Raises `UserError` for an unknown name and for a claim that names no comparison."""
    declared = claims.declaration(name)
    differs = tuple((entry["says"], entry["source"]) for entry in declared.get("differs", []))
    texts = (declared["short"], declared["paper"], declared["setting"], declared["read"])
    return Paper(name, *texts, tuple(map(_claim, declared["claim"])), differs)


def _evidence(found: Mapping[str, Any]) -> Iterator[Evidence]:
    """Yields a comparison for each choice of the values that are lists."""
    lists = {name: found[name] for name in LISTS if isinstance(found.get(name), list)}
    for values in product(*lists.values()):
        chosen = dict(zip(lists, values, strict=True))
        yield Evidence(**{**found, **chosen, "ratio": tuple(found.get("ratio", ()))})


def _claim(entry: Mapping[str, Any]) -> Claim:
    evidence = tuple(one for found in entry.get("found", []) for one in _evidence(found))
    if bool(evidence) == bool(entry.get("untested")):
        raise UserError(f"{entry['says']}: needs either records or the reason why nothing tests it")
    texts = (entry["says"], entry["source"], entry["test"], entry.get("untested", ""))
    return Claim(*texts, evidence, entry.get("unseen", False))
