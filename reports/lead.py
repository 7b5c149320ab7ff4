"""The answer of a report: first what the tickets depend on, in plain words, then the numbers that carry it."""

from collections.abc import Iterator, Sequence

from reports.check_sentences import groups_of, kind_of, listed, names_of, told, unit_of, where, who
from reports.comparisons import WIDER
from reports.headline import asked_about
from reports.overview import against_papers
from reports.phrases import phrase
from reports.records import CONTROL
from reports.sentences import change
from reports.statistics import Cell, Summary
from reports.text import counted, opened, say
from reports.wording import counted_points, method_name, percent

ANSWERED = 2  # checks whose numbers are told in the first sentences
LISTED = 4  # things that are named in one sentence
ORDER = ("effect", "likely", "none", "small", "open", "untestable", "missing")


def lead(summary: Summary) -> Iterator[str]:
    """The answer, then for each of a few checks the numbers that carry it, then the paper's numbers."""
    methods = asked_about(summary)
    compared = [cell for cell in summary.cells if cell.comparison and cell.method in methods]
    by_check: dict[str, list[Cell]] = {}
    for cell in compared:
        by_check.setdefault(cell.check, []).append(cell)
    if len(by_check) == 1:
        yield _of_one_check(compared, summary)
    elif by_check:
        yield " ".join(_over_checks(list(by_check.values()), summary))
        telling = [cells for cells in by_check.values() if _verdict(cells) not in ("untestable", "missing")]
        for cells in sorted(telling, key=_weight)[:ANSWERED]:
            yield told(cells, summary)
        if len(telling) > ANSWERED:
            yield say("lead.more", count=len(telling) - ANSWERED)
    papers = [cell for cell in summary.cells if cell.paper]
    if not compared and not papers:
        yield from _accuracies(summary)
    yield from against_papers(papers)


def _accuracies(summary: Summary) -> Iterator[str]:
    """Of records without any check and paper: the accuracies of the tickets."""
    means = [cell.accuracy.mean for cell in summary.cells if cell.check == CONTROL and cell.accuracy.n]
    if means:
        ends = " to ".join(dict.fromkeys(f"{end:.2f}" for end in (min(means), max(means))))
        yield say("lead.accuracies", tickets=counted(len(means), "cell"), ends=ends)
    yield say("lead.no_check")


def _weight(cells: Sequence[Cell]) -> tuple[int, float]:
    """What sorts checks: the strongest verdict first, then the largest difference among those of it."""
    kind = _verdict(cells)
    sizes = [abs(cell.compared.difference.mean) for cell in cells if kind_of(cell) == kind]
    return ORDER.index(kind), -max(sizes, default=0.0)


def _verdict(cells: Sequence[Cell]) -> str:
    """What one check's comparisons come to: the strongest of their kinds; "none" only where nothing is open, "small"
    where any effect is small at most."""
    kinds = {kind_of(cell) for cell in cells}
    kind = next(kind for kind in ("effect", "likely", "open", "none", "untestable", "missing") if kind in kinds)
    return "small" if kind == "none" and any(cell.compared.verdict == "small or none" for cell in cells) else kind


def _of_one_check(cells: Sequence[Cell], summary: Summary) -> str:
    """The answer to whether tickets depend on what one check destroys."""
    if len(cells) == 1:
        return _single(cells[0], summary)
    kind, names = _verdict(cells), names_of(cells)
    touched = {unit_of(cell) for cell in cells if kind_of(cell) == kind}
    if kind == "effect" and len(touched) < len(names):
        return told(cells, summary, say("lead.yes_some", count=len(touched), all=len(names)))
    return told(cells, summary, say(f"lead.answer_{kind}"))


def _single(cell: Cell, summary: Summary) -> str:
    """The same of a single comparison."""
    low = phrase(cell.check, cell.check_words).action
    return say(f"lead.one_{_verdict([cell])}", action=opened(low), action_low=low, change=change([cell]),
               n=cell.compared.difference.n, margin=counted_points(summary.margin), method=method_name(cell.method),
               bound=counted_points(WIDER * summary.margin), ratio=percent(round(cell.ratio, 5)))  # fmt: skip


def _over_checks(checks: Sequence[Sequence[Cell]], summary: Summary) -> Iterator[str]:
    """What the tickets depend on, what not, and what is open, a sentence each; each thing once, where it is strongest.

    checks: the comparisons of each.
    """
    compared = [cell for cells in checks for cell in cells]
    names = names_of(compared)
    number, subject = "several", say("lead.tickets")
    if len(names) == 1:
        number, subject = "one", say("lead.ticket", method=next(iter(names.values())))
    margins = {"none": summary.margin, "small": WIDER * summary.margin}
    said: set[str] = set()
    for kind in ORDER:
        begun, things = bool(said), []
        for cells in sorted((cells for cells in checks if _verdict(cells) == kind), key=_weight):
            depends = phrase(cells[0].check, cells[0].check_words).subject
            if depends not in said:
                said.add(depends)
                things.append(say("lead.on", thing=depends) + _for_whom(cells, kind))
        if things:
            key = f"lead.on_{kind}" if begun else f"lead.on_{kind}_{number}"
            sentence = say(key, who=subject, things=_series(things), bound=counted_points(margins.get(kind, 0.0)))
            yield opened(sentence, names.values())
    if count := sum(kind_of(cell) == "open" for cell in compared):
        yield say("lead.undecided", count=count, all=counted(len(compared), "comparison"))


def _for_whom(cells: Sequence[Cell], kind: str) -> str:
    """ " (SNIP and GraSP at 98 % sparsity)": which tickets a check affects; empty where it affects none, or all."""
    if kind not in ("effect", "likely"):
        return ""
    names, group = names_of(cells), [cell for cell in cells if kind_of(cell) == kind]
    units = list(dict.fromkeys(map(unit_of, group)))
    parts = [who(units, names)] if len(names) > 1 else []
    if len({cell.ratio for cell in cells}) > 1:
        alike = len(groups_of(group)) == 1
        parts.append((where(group, cells) if alike else say("lead.somewhere")).strip())
    likely = dict.fromkeys(unit_of(cell) for cell in cells if kind_of(cell) == "likely" and unit_of(cell) not in units)
    probably = say("lead.probably", who=who(list(likely), names)) if likely else ""
    return f" ({' '.join(parts)}{probably})" if parts else ""


def _series(things: Sequence[str]) -> str:
    """Things in a sentence, with semicolons where these have commas of their own."""
    shown = list(things[:LISTED])
    if len(things) > LISTED:
        shown.append(say("lead.other_things", count=len(things) - LISTED))
    if any("," in thing or " or on " in thing for thing in shown):
        return "; ".join(shown)
    return listed(shown)
