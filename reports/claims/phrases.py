"""Puts what was found about claims into phrases that the formats share: names, places, differences and counts."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

import reproductions
from reports.claims.declared import Claim, Evidence, Paper
from reports.claims.found import AT_A_RATIO, Finding, Point, only_elsewhere, standing
from reports.claims.outcomes import LAST, POINTS
from reports.comparisons import Comparison
from reports.text import say
from reports.wording import EN_DASH, bracketed, check_name, method_name, percents, points, span, verdict_name, with_half
from reports.wording import with_interval as difference_and_interval

SIGNS = {"as claimed": "✓", "in part": "±", "contradicted": "✗", "not found": "≈", "open": "?", "not tested": EN_DASH}


def stands(found: Sequence[Finding]) -> str:
    """Returns where a claim stands, such as "as claimed elsewhere"."""
    return standing(found) + (f" {say('claims.only_elsewhere')}" if only_elsewhere(found) else "")


def about(paper: Paper) -> str:
    """Returns the networks and data of a paper, and what of it was seen in print."""
    return say("claims.about", setting=paper.setting, read=paper.read)


def sentence(claim: Claim, number: int) -> str:
    """Returns the numbered claim with its place, which is marked where it was not seen in print."""
    return say("claims.unseen" if claim.unseen else "claims.claim", number=number, says=claim.says, source=claim.source)


def compared(evidence: Evidence) -> str:
    """Returns what is compared: "SNIP, reinit", which is with its own tickets, or "SNIP against Random".

    An outcome other than the accuracy after training is named.
    """
    method = method_name(evidence.method)
    if evidence.table:
        return say("claims.table", method=method)
    if evidence.check:
        sides = say("claims.check", method=method, check=check_name(evidence.check))
    else:
        sides = say("claims.against", method=method, other=method_name(evidence.against))
    return say("claims.by", sides=sides, outcome=outcome_name(evidence)) if outcome_name(evidence) else sides


def outcome_name(evidence: Evidence) -> str:
    """Returns what is compared in words; empty for the accuracy after training."""
    return "" if evidence.outcome == LAST else say(f"claims.outcome.{evidence.outcome}")


def remarks(evidence: Evidence) -> list[str]:
    """Returns in which ways a comparison was not made as the paper makes it, and the margin that its claim states."""
    elsewhere = [say("claims.elsewhere")] if evidence.elsewhere else []
    margin = [] if evidence.margin is None else [say(f"claims.margin.{evidence.measured.unit}", margin=evidence.margin)]
    return [*elsewhere, *filter(None, [evidence.note]), *margin]


def unmeasured(found: Iterable[Finding]) -> list[str]:
    """Returns what measures the comparisons of which nothing is recorded yet, each once: a key of `sanity.run`."""
    return list(dict.fromkeys(_measured_by(finding.evidence.records) for finding in found if not finding.points))


def _measured_by(records: str) -> str:
    """ "measured/lee2019_table1" -> "reproduction=lee2019_table1"; a folder that no key names stays one."""
    kind, _, name = records.partition("/")
    if kind == "reference":
        return f"reference={name}"
    return f"reproduction={name}" if name in reproductions.names() else f"reproductions/{records}"


def by_standing(finding: Finding) -> Iterator[tuple[str, list[Point]]]:
    """Yields each standing that was found at some ratio, with the points of it."""
    for name in AT_A_RATIO:
        if group := [point for point in finding.points if point.standing == name]:
            yield name, group


def where(group: Iterable[Point], finding: Finding) -> str:
    """Returns the sparsities of some points of a finding as percentages, such as "90 and 98 %"."""
    return percents(list(map(_rounded, group)), list(map(_rounded, finding.points)))


def _rounded(point: Point) -> float:
    return round(point.ratio, 4)


def runs(group: Collection[Point]) -> str:
    """Returns the smallest and the largest number of pairs: "3 to 5"."""
    return " to ".join(dict.fromkeys(str(end([point.n for point in group])) for end in (min, max)))


def change(group: Sequence[Point], evidence: Evidence) -> str:
    """Returns the differences with the interval that decided; of several sparsities their range.

    Of an outcome that is no accuracy with the unit, and for a single sparsity with the means of both sides.
    """
    if papers := [point.paper for point in group if point.paper]:
        return ", ".join(with_half(paper.delta, paper.half) for paper in papers)
    comparisons = [point.comparison for point in group if point.comparison and point.comparison.difference.n]
    if evidence.measured.accuracy:
        return _in_points(comparisons)
    told = _in_percent(comparisons) if evidence.measured.relative else f"{_in_points(comparisons)} {POINTS}"
    if len(group) > 1 or group[0].means is None:
        return told
    ours, theirs = (points(mean, digits=1) for mean in group[0].means)
    return say("claims.means", differences=told, ours=ours, theirs=theirs)


def _in_points(comparisons: Sequence[Comparison]) -> str:
    if len(comparisons) == 1:
        return difference_and_interval(comparisons[0])
    interval = bracketed(min(one.low for one in comparisons), max(one.high for one in comparisons))
    return " ".join(filter(None, [span([one.difference.mean for one in comparisons]), interval]))


def _in_percent(comparisons: Sequence[Comparison]) -> str:
    means = [one.difference.mean for one in comparisons]
    told = " to ".join(dict.fromkeys(points(end(means), signed=True, digits=0) for end in (min, max)))
    low, high = min(one.low for one in comparisons), max(one.high for one in comparisons)
    known = math.isfinite(low + high)
    return f"{told} %" + (f" [{points(low, digits=0)}, {points(high, digits=0)}]" if known else "")


def verdicts(group: Sequence[Point]) -> str:
    """Returns the verdicts of some points, each once; empty beside printed numbers."""
    found = [point.comparison.verdict for point in group if point.comparison]
    return " / ".join(dict.fromkeys(map(verdict_name, found)))
