"""The report's first part: the verdicts of every method and check, as a matrix and in words.

A method with many ratios takes a row, not a row a ratio: its entries say at which ratios which verdict fell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from reports.sentences import absent, change, flaws, has_error, sentence, where
from reports.statistics import VERDICTS, Cell, Summary
from reports.wording import DATASETS, FOLDED, method_name


@dataclass(frozen=True)
class Value:
    """One cell of a table: what is shown, what it sorts by (numbers before text), and the verdict that it states."""

    text: str
    sort: float | str = ""
    verdict: str = ""
    note: str = ""

    @property
    def full(self) -> str:
        """Text and note in one, for formats without a second line."""
        return f"{self.text} ({self.note})" if self.note else self.text


@dataclass(frozen=True)
class Finding:
    verdict: str
    text: str


Entries = tuple[Value, ...]
Row = tuple[str, tuple[Entries, ...]]  # no entry: the check is not in the grid


@dataclass(frozen=True)
class Answer:
    """The verdicts of one setting: a matrix, method (at a ratio, or at many) x check, and a sentence for each entry."""

    setting: str
    checks: tuple[str, ...]
    rows: tuple[Row, ...]
    findings: tuple[tuple[str, tuple[Finding, ...]], ...]  # by method

    @property
    def size(self) -> int:
        return sum(len(found) for _, found in self.findings)


def setting_name(setting: tuple[str, str, str]) -> str:
    """ "CIFAR-10, resnet32, recipe su2020"."""
    dataset, model, recipe = setting
    return f"{DATASETS.get(dataset, dataset)}, {model}, recipe {recipe}"


def answer(setting: tuple[str, str, str], summary: Summary) -> Answer | None:
    """The answer of one setting; None where nothing is compared."""
    compared = [cell for cell in summary.select(setting=setting) if cell.comparison]
    if not compared:
        return None
    checks = tuple(dict.fromkeys(cell.check for cell in compared))
    rows: list[Row] = []
    findings: dict[str, tuple[Finding, ...]] = {}
    for method in dict.fromkeys(cell.method for cell in compared):
        said: list[Finding] = []
        for label, part in _parts([cell for cell in compared if cell.method == method], summary):
            by_check = [list(_by_verdict([cell for cell in part if cell.check == check])) for check in checks]
            rows.append((label, tuple(tuple(_entry(group, part, summary) for group in groups) for groups in by_check)))
            said += _said(part, [group for groups in by_check for group in groups], summary)
        findings[method_name(method)] = tuple(said)
    return Answer(setting_name(setting), checks, tuple(rows), tuple(findings.items()))


def _parts(cells: Sequence[Cell], summary: Summary) -> Iterator[tuple[str, list[Cell]]]:
    """The rows of one method: those ratios at which nothing is there to compare together, the others one by one or,
    where they are many, together too."""
    name, every = method_name(cells[0].method), list(dict.fromkeys(cell.ratio for cell in cells))
    present = [ratio for ratio in every if any(cell.ratio == ratio and _verdict(cell) != "missing" for cell in cells)]
    absent = [ratio for ratio in every if ratio not in present]
    together = [(present, f"{name}, {len(present)} ratios")] if len(present) > FOLDED else []
    together += [(absent, f"{name}, {len(absent)} other ratios")] if len(absent) > 1 else []
    for ratio in (one for one in every if all(one not in group for group, _ in together)):
        part = [cell for cell in cells if cell.ratio == ratio]
        yield f"{name} {where(part, summary)}", part
    for group, label in together:
        yield label, [cell for cell in cells if cell.ratio in group]


def _by_verdict(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """The cells of each verdict; apart from the others those whose error is unknown, about which less can be said."""
    for verdict, known in product(VERDICTS, (True, False)):
        if found := [cell for cell in cells if _verdict(cell) == verdict and has_error(cell) == known]:
            yield found


def _verdict(cell: Cell) -> str:
    return cell.comparison.verdict if cell.comparison else ""


def _said(part: Sequence[Cell], groups: Sequence[Sequence[Cell]], summary: Summary) -> list[Finding]:
    """A sentence for each group of cells of one check and verdict; a single one where nothing was run."""
    if _unrun(part):
        text = f"{method_name(part[0].method)} at {where(part, summary)}: not compared, {absent(part)}."
        return [Finding("missing", text)]
    return [Finding(_verdict(group[0]), sentence(group, summary)) for group in groups]


def _several(part: Sequence[Cell]) -> bool:
    return len({cell.ratio for cell in part}) > 1


def _unrun(part: Sequence[Cell]) -> bool:
    return _several(part) and all(_verdict(cell) == "missing" for cell in part)


def _entry(group: Sequence[Cell], part: Sequence[Cell], summary: Summary) -> Value:
    """What the cells of one verdict, one or several of a row's `part`, show in the matrix."""
    verdict = _verdict(group[0])
    if _unrun(part):
        return Value("", verdict=verdict)
    by, error = change(group) if verdict not in ("identical", "missing") else ("", "")
    moved = f"{by} ({error})" if error else by
    if _several(part):
        moved = ": ".join(filter(None, (where(group, summary), moved)))
    count = sum(len(flaws(cell, summary)) for cell in group)
    told = f"on {'this comparison' if len(group) == 1 else 'these comparisons'}"
    return Value(moved, verdict=verdict, note=f"{count} note{'s' * (count > 1)} {told}" if count else "")
