"""The head of a report: the question in the field's words, and the setting in a line."""

from collections.abc import Sequence

from reports.check_sentences import NAMED, family_name, listed
from reports.labels import parse
from reports.phrases import phrase
from reports.references import is_control, is_random
from reports.statistics import Summary
from reports.text import counted, has, say
from reports.wording import DATASETS, counted_points, percent


def question(summary: Summary) -> str:
    """What the records were made to find out, as a question: of one method and check by name, else in general."""
    compared = [cell for cell in summary.cells if cell.comparison]
    if not compared:
        return say("question.reproduced" if any(cell.paper for cell in summary.cells) else "question.accuracy")
    methods, checks = asked_about(summary), list(dict.fromkeys(cell.check for cell in compared))
    who = say("question.one", method=family_name(methods[0])) if len(methods) == 1 else say(
        "question.several", count=len(methods))  # fmt: skip
    verb = "question.does" if len(methods) == 1 else "question.do"
    if len(checks) > 1:
        return say(f"{verb}_many", who=who)
    words = phrase(checks[0], compared[0].check_words)
    name = parse(checks[0])[0].name
    simple = len(parse(checks[0])) == 1 and (name in compared[0].check_words or has(f"check.{name}.subject"))
    return say(f"{verb}_subject", who=who, subject=words.subject) if simple else say(
        "question.composed", who=who, action=words.action)  # fmt: skip


def asked_about(summary: Summary) -> list[str]:
    """The methods that are compared; without random pruning and controls where there are others."""
    methods = list(dict.fromkeys(cell.method for cell in summary.cells if cell.comparison))
    return [name for name in methods if not (is_random(name) or is_control(name))] or methods


def setting_line(summary: Summary) -> str:
    """Data, network, recipe, sparsities, seeds, comparisons and margin, in a line."""
    run = [cell for cell in summary.cells if cell.seeds] or list(summary.cells)  # a table asks for more than was run
    tickets = [cell for cell in run if cell.ratio > 0]
    ratios = sorted({cell.ratio for cell in tickets})
    runs = sorted({len(cell.seeds) for cell in tickets if cell.seeds})
    parts = [
        _some("data", "data_sets", [DATASETS.get(name, name) for name in summary.names("dataset", run)]),
        _some("network", "networks", summary.names("model", run)),
        _some("recipe", "recipes", summary.names("recipe", run)),
    ]
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


def _some(named: str, number: str, names: Sequence[str]) -> str:
    """The names where they are few, else how many there are."""
    if len(names) > NAMED:
        return say(f"setting.{number}", count=len(names))
    return say(f"setting.{named}", names=listed(names))
