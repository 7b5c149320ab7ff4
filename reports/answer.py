"""The report's first part: the verdicts of every method and check, as a matrix and in words.

A method with many ratios takes a row, not a row a ratio: its entries say at which ratios which verdict fell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.comparisons import VERDICTS
from reports.overview import flaws
from reports.sentences import change, has_error, not_compared, sentence, where
from reports.statistics import Cell, Summary
from reports.strips import Square, StripRow, strip, strip_rows
from reports.text import counted, say
from reports.wording import DATASETS, FOLDED, method_name, percents

WITH_NUMBERS = 4  # rows up to which each verdict stands with its numbers; of more, the signs alone fit on one screen
BESIDE = 60  # squares in a row that fit beside the differences
NUMBERS, NAME = 18, 12  # so many squares are as wide as a verdict with its numbers, and as the name of a check


@dataclass(frozen=True)
class Value:
    """One cell of a table: what is shown, what it sorts by (numbers before text), and the verdict that it states.

    word: how the verdict is called here, where that is not its name.
    """

    text: str
    sort: float | str = ""
    verdict: str = ""
    note: str = ""
    word: str = ""

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
    strips: tuple[tuple[tuple[Square, ...], ...], ...] = ()  # row by row, check by check: every comparison
    by_method: tuple[StripRow, ...] = ()  # what was run, a row a method
    sparsities: str = ""  # from the lowest to the highest that was run

    @property
    def compact(self) -> bool:
        """Whether the rows are so many that a page shows a row a method, with signs and no numbers."""
        return len(self.rows) > WITH_NUMBERS and bool(self.by_method)

    @property
    def broad(self) -> bool:
        """Whether the matrix needs the whole width of a page."""
        longest = max((len(squares) for row in self.by_method for squares in row.strips), default=0)
        return len(self.checks) * max(longest, NAME if self.compact else NUMBERS) > BESIDE

    @property
    def size(self) -> int:
        """How many sentences there are."""
        return sum(len(findings) for _, findings in self.findings)


def setting_name(setting: tuple[str, str, str]) -> str:
    """ "CIFAR-10, resnet32, recipe su2020"."""
    dataset, model, recipe = setting
    return say("title.setting", dataset=DATASETS.get(dataset, dataset), model=model, recipe=recipe)


def answer(setting: tuple[str, str, str], summary: Summary) -> Answer | None:
    """The answer of one setting; None where nothing is compared."""
    compared = [cell for cell in summary.select(setting=setting) if cell.comparison]
    if not compared:
        return None
    checks = tuple(dict.fromkeys(cell.check for cell in compared))
    rows: list[Row] = []
    strips: list[tuple[tuple[Square, ...], ...]] = []
    findings: dict[str, tuple[Finding, ...]] = {}
    long_notes: set[str] = set()
    for method in dict.fromkeys(cell.method for cell in compared):
        of_method: list[Finding] = []
        for label, part in _parts([cell for cell in compared if cell.method == method], summary):
            by_check = [list(_by_verdict([cell for cell in part if cell.check == check])) for check in checks]
            rows.append((label, tuple(tuple(_entry(group, part, summary) for group in groups) for groups in by_check)))
            strips.append(tuple(strip([cell for cell in part if cell.check == check]) for check in checks))
            of_method += _findings(part, [group for groups in by_check for group in groups], summary, long_notes)
        findings[method_name(method)] = tuple(of_method)
    ratios = sorted({cell.ratio for cell in compared if _verdict(cell) != "missing"})
    at = percents(ratios, ratios) if len(ratios) > 1 else ""
    by_method = strip_rows(compared, checks)
    told = tuple(findings.items())
    return Answer(setting_name(setting), checks, tuple(rows), told, tuple(strips), by_method, at)


def _parts(cells: Sequence[Cell], summary: Summary) -> Iterator[tuple[str, list[Cell]]]:
    """The rows of one method, each with its label.

    A ratio has a row of its own. Many ratios at which something was run share a row; so do several without any run.
    """
    name, ratios = method_name(cells[0].method), list(dict.fromkeys(cell.ratio for cell in cells))
    present = [ratio for ratio in ratios if any(cell.ratio == ratio and _verdict(cell) != "missing" for cell in cells)]
    absent = [ratio for ratio in ratios if ratio not in present]
    shared: list[tuple[list[float], str]] = []
    if len(present) > FOLDED:
        shared.append((present, say("caption.together", method=name, count=len(present))))
    if len(absent) > 1:
        shared.append((absent, say("caption.not_run", method=name, count=len(absent))))
    for ratio in ratios:
        if not any(ratio in group for group, _ in shared):
            part = [cell for cell in cells if cell.ratio == ratio]
            yield f"{name} {where(part, summary)}", part
    for group, label in shared:
        yield label, [cell for cell in cells if cell.ratio in group]


def _by_verdict(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """The cells of each verdict, reason and manner, gains apart from losses, and those whose error is unknown, about
    which less can be said, apart from the others."""
    groups: dict[tuple[int, bool, str, str, bool], list[Cell]] = {}
    for cell in cells:
        comparison = cell.comparison
        obstacle, manner = (comparison.obstacle, comparison.manner) if comparison else ("", "")
        gain = comparison is not None and "different" in comparison.verdict and comparison.difference.mean > 0
        key = VERDICTS.index(_verdict(cell)), not has_error(cell), obstacle, manner, gain
        groups.setdefault(key, []).append(cell)
    yield from (groups[key] for key in sorted(groups))


def _verdict(cell: Cell) -> str:
    return cell.comparison.verdict if cell.comparison else ""


def _findings(
    part: Sequence[Cell], groups: Sequence[Sequence[Cell]], summary: Summary, told: set[str]
) -> list[Finding]:
    """A sentence for each group of cells of one check and verdict; a single one where nothing was run."""
    if _unrun(part):
        return [Finding("missing", not_compared(part, summary))]
    return [Finding(_verdict(group[0]), sentence(group, summary, told)) for group in groups]


def _several(part: Sequence[Cell]) -> bool:
    return len({cell.ratio for cell in part}) > 1


def _unrun(part: Sequence[Cell]) -> bool:
    return _several(part) and all(_verdict(cell) == "missing" for cell in part)


def _entry(group: Sequence[Cell], part: Sequence[Cell], summary: Summary) -> Value:
    """What the cells of one verdict, one or several of a row's `part`, show in the matrix."""
    verdict = _verdict(group[0])
    if _unrun(part):
        return Value("", verdict=verdict)
    text = change(group) if verdict not in ("identical", "missing") else ""
    if _several(part):
        text = ": ".join(filter(None, (where(group, summary), text)))
    count = sum(len(flaws(cell, summary)) for cell in group)
    flag = "note.flag_one" if len(group) == 1 else "note.flag_several"
    return Value(text, verdict=verdict, note=say(flag, count=counted(count, "note")) if count else "")
