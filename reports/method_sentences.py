"""Says in words how methods did against random and magnitude pruning."""

from collections.abc import Iterator, Sequence

from reports.methods_compared import OUTCOMES, MethodComparison
from reports.references import is_control
from reports.statistics import Summary
from reports.text import counted, say
from reports.wording import method_name, outcome_name, percents, span


def told_in_short(summary: Summary) -> Iterator[str]:
    """How the methods did against each reference."""
    for reference in dict.fromkeys(one.reference for one in _methods(summary)):
        found = [one.outcome for one in _methods(summary) if one.reference == reference]
        counts = [f"{found.count(name)} {outcome_name(name)}" for name in OUTCOMES if name in found]
        yield say("overview.methods", count=counted(len(found), "comparison"), reference=method_name(reference),
                  outcomes=", ".join(counts))  # fmt: skip


def method_sentences(summary: Summary) -> Iterator[str]:
    """A sentence for each method and reference: at which ratios it is better, as good or worse, and by how much."""
    claims: dict[tuple[tuple[str, ...], str, str], list[MethodComparison]] = {}
    for one in _methods(summary):
        claims.setdefault((one.setting, one.reference, one.method), []).append(one)
    several = len(summary.names("setting")) > 1
    for (setting, reference, method), claim in claims.items():
        parts = [
            say("methods.part", outcome=outcome_name(outcome), moved=_moved(group),
                where=percents([one.ratio for one in group], [one.ratio for one in claim]))
            for outcome in OUTCOMES
            if (group := [one for one in claim if one.outcome == outcome])
        ]  # fmt: skip
        sentence = say("methods.sentence", method=method_name(method), reference=method_name(reference),
                       parts="; ".join(parts))  # fmt: skip
        yield say("methods.in_setting", setting=" · ".join(setting), sentence=sentence) if several else sentence


def _methods(summary: Summary) -> list[MethodComparison]:
    """The comparisons of ways to prune; one that only tests the suite is none."""
    return [one for one in summary.methods if not is_control(one.method)]


def _moved(group: Sequence[MethodComparison]) -> str:
    """How far apart the accuracies are, in brackets; empty where there are no pairs."""
    means = [one.comparison.difference.mean for one in group if one.comparison.difference.n]
    return say("methods.moved", estimates=span(means)) if means else ""
