"""The head of a report: the question in the field's words, the setting in a line, the answer in a few sentences."""

from collections.abc import Iterator, Sequence

from reports.comparisons import Comparison
from reports.labels import parse
from reports.overview import against_papers
from reports.phrases import phrase
from reports.records import CONTROL
from reports.references import is_control, is_random
from reports.sentences import change, where
from reports.statistics import Cell, Summary
from reports.text import counted, has, say
from reports.wording import DATASETS, METHODS, counted_points, method_name, percent, span

ANSWERED = 3  # checks that are answered one by one in the first sentences
KINDS = {
    "none": ("identical", "equivalent"),
    "effect": ("different",),
    "likely": ("likely different",),
    "small": ("small or none",),
    "open": ("undecided",),
    "untestable": ("not testable",),
    "missing": ("missing",),
}


def question(summary: Summary) -> str:
    """What the records were made to find out, as a question: of one method and check by name, else in general."""
    compared = [cell for cell in summary.cells if cell.comparison]
    if not compared:
        return say("question.reproduced" if any(cell.paper for cell in summary.cells) else "question.accuracy")
    methods, checks = _asked(summary), list(dict.fromkeys(cell.check for cell in compared))
    who = say("question.one", method=_family(methods[0])) if len(methods) == 1 else say(
        "question.several", count=len(methods))  # fmt: skip
    verb = "question.does" if len(methods) == 1 else "question.do"
    if len(checks) > 1:
        return say(f"{verb}_many", who=who)
    words = phrase(checks[0], compared[0].check_words)
    name = parse(checks[0])[0].name
    simple = len(parse(checks[0])) == 1 and (name in compared[0].check_words or has(f"check.{name}.subject"))
    return say(f"{verb}_subject", who=who, subject=words.subject) if simple else say(
        "question.composed", who=who, action=words.action)  # fmt: skip


def _asked(summary: Summary) -> list[str]:
    """The methods that are compared; without random pruning and controls where there are others."""
    methods = list(dict.fromkeys(cell.method for cell in summary.cells if cell.comparison))
    return [name for name in methods if not (is_random(name) or is_control(name))] or methods


def _family(label: str) -> str:
    """ "snip@lee2019[biases=never]" -> "SNIP"."""
    name = parse(label)[0].name
    return METHODS.get(name, name)


def setting_line(summary: Summary) -> str:
    """Data, network, recipe, sparsities, seeds, comparisons and margin, in a line."""
    run = [cell for cell in summary.cells if cell.seeds] or list(summary.cells)  # a table asks for more than was run
    settings = summary.names("setting", run)
    tickets = [cell for cell in run if cell.ratio > 0]
    ratios = sorted({cell.ratio for cell in tickets})
    runs = sorted({len(cell.seeds) for cell in tickets if cell.seeds})
    parts = []
    if len(settings) == 1:
        dataset, model, recipe = settings[0]
        parts += [DATASETS.get(dataset, dataset), model, say("setting.recipe", recipe=recipe)]
    else:
        parts += [say("setting.several", count=len(settings))]
    if ratios:
        ends = (" and " if len(ratios) == 2 else " to ").join(
            dict.fromkeys(percent(round(end, 3)) for end in (ratios[0], ratios[-1]))
        )
        parts.append(say("setting.ratios" if len(ratios) > 2 else "setting.removed", ends=ends, count=len(ratios)))
    if runs:
        seeds = " to ".join(dict.fromkeys(map(str, (runs[0], runs[-1]))))
        parts.append(say("setting.seed" if runs[-1] == 1 else "setting.seeds", seeds=seeds))
    count = sum(cell.comparison is not None for cell in summary.cells)
    if count:
        parts += [counted(count, "comparison"), say("setting.margin", margin=counted_points(summary.margin))]
    return " · ".join(parts)


def lead(summary: Summary) -> Iterator[str]:
    """The answer: for each of a few checks what was found, with the numbers that carry it; then the paper's numbers."""
    asked = _asked(summary)
    compared = [cell for cell in summary.cells if cell.comparison and cell.method in asked]
    checks = sorted(dict.fromkeys(cell.check for cell in compared), key=lambda check: -_clearest(compared, check))
    for check in checks[:ANSWERED]:
        yield _of_check([cell for cell in compared if cell.check == check], summary)
    if len(checks) > ANSWERED:
        yield say("lead.more", count=len(checks) - ANSWERED)
    papers = [cell for cell in summary.cells if cell.paper]
    if not compared and not papers:
        yield from _accuracies(summary)
    yield from against_papers(papers)


def _accuracies(summary: Summary) -> Iterator[str]:
    """Of records without any check and paper: the accuracies of the tickets."""
    tickets = [cell for cell in summary.cells if cell.check == CONTROL and cell.accuracy.n]
    means = [cell.accuracy.mean for cell in tickets]
    if means:
        ends = " to ".join(dict.fromkeys(f"{end:.2f}" for end in (min(means), max(means))))
        yield say("lead.accuracies", tickets=counted(len(tickets), "cell"), ends=ends)
    yield say("lead.no_check")


def _clearest(cells: Sequence[Cell], check: str) -> float:
    """The largest effect of a check; -1 where it has none."""
    return max((abs(_of(cell).difference.mean) for cell in cells if cell.check == check and _kind(cell) == "effect"),
               default=-1.0)  # fmt: skip


def _of_check(cells: Sequence[Cell], summary: Summary) -> str:
    """What one check did: of a single comparison its sentence in short, of several how many ended how."""
    low = phrase(cells[0].check, cells[0].check_words).action.rstrip(",")
    action = low[0].upper() + low[1:]
    if len(cells) == 1:
        cell = cells[0]
        n, margin = _of(cell).difference.n, counted_points(summary.margin)
        return say(f"lead.one_{_kind(cell)}", action=action, action_low=low, change=change(cells), n=n, margin=margin,
                   bound=counted_points(2 * summary.margin), method=method_name(cell.method),
                   ratio=percent(round(cell.ratio, 5)))  # fmt: skip
    kinds = {kind: [cell for cell in cells if _kind(cell) == kind] for kind in KINDS}
    parts = [
        say(f"lead.kind_{kind}", count=len(group))
        + ("" if kind == "none" and kinds["effect"] else _detail(kind, group, summary))
        for kind, group in kinds.items() if group
    ]  # fmt: skip
    return say("lead.several", action=action, all=len(cells), parts=", ".join(parts))


def _detail(kind: str, cells: Sequence[Cell], summary: Summary) -> str:
    """Of comparisons with an effect the largest; of those with a likely one or none how far the estimates lie."""
    if kind == "effect":
        most = max(cells, key=lambda cell: abs(_of(cell).difference.mean))
        key = "lead.only" if len(cells) == 1 else "lead.largest"
        return say(key, change=change([most]), method=method_name(most.method), ratio=where([most], summary))
    if kind == "likely":
        return _estimates(cells)
    if kind == "none" and any(_of(cell).verdict == "equivalent" for cell in cells):
        return _estimates(cells)
    return ""


def _estimates(cells: Sequence[Cell]) -> str:
    key = "lead.estimate" if len(cells) == 1 else "lead.estimates"
    return say(key, estimates=span([_of(cell).difference.mean for cell in cells]))


def _kind(cell: Cell) -> str:
    verdict = _of(cell).verdict
    return next(kind for kind, verdicts in KINDS.items() if verdict in verdicts)


def _of(cell: Cell) -> Comparison:
    assert cell.comparison is not None  # by the selection of the callers
    return cell.comparison
