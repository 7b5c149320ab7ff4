"""Writes claims as text of 80 columns, as Markdown and as JSON."""

import json
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from reports import escape
from reports.claims.declared import Claim, Evidence, Paper
from reports.claims.found import OUTCOMES, STANDINGS, Finding, Point, findings, only_elsewhere, standing
from reports.text import say
from reports.wording import (
    EN_DASH,
    bracketed,
    check_name,
    method_name,
    percents,
    span,
    verdict_name,
    with_half,
    with_interval,
)

WIDTH = 80
SIGNS = {"as claimed": "✓", "in part": "±", "contradicted": "✗", "not found": "≈", "open": "?", "not tested": EN_DASH}
Found = list[Finding]


def text(papers: Sequence[Paper]) -> str:
    """Returns the claims as text of at most 80 columns."""
    lines: list[str] = []
    for paper in papers:
        lines += [paper.short, *_wrapped(paper.citation, "  "), *_wrapped(_setting(paper), "  "), ""]
        for number, claim in enumerate(paper.claims, 1):
            found = findings(claim)
            where = standing(found)
            lines += _wrapped(f"{SIGNS[where]} {number}. {claim.says} ({claim.source})", "  ", "      ")
            lines += _wrapped(f"{where}: {claim.untested}" if claim.untested else _stands(found), "      ")
            for part in [say("claims.test", test=claim.test), *told(found)]:
                lines += _wrapped(part, "      - ", "        ")
            lines.append("")
        for says, source in paper.differs:
            lines += _wrapped(say("claims.differs", says=says, source=source), "  * ", "    ")
        lines.append("")
    return "\n".join([*lines, *_wrapped(say("claims.legend"), "")])


def _wrapped(sentence: str, first: str, further: str = "") -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent=first, subsequent_indent=further or first)


def told(found: Iterable[Finding]) -> Iterator[str]:
    """Returns a line for each setting and prediction, and one below it for each comparison that was made there."""
    measured = [finding for finding in found if finding.points]
    for head, group in groupby(measured, lambda finding: _head(finding)):
        lines = [say("claims.comparison", compared=_compared(one.evidence), parts=_parts(one)) for one in group]
        yield head + (f" {lines[0]}" if len(lines) == 1 else "")
        yield from lines if len(lines) > 1 else ()
    for records, group in groupby([one for one in found if not one.points], lambda one: one.evidence.records):
        yield say("claims.unmeasured", compared="; ".join(_compared(one.evidence) for one in group), records=records)


def _stands(found: Found) -> str:
    return standing(found) + (f" {say('claims.only_elsewhere')}" if only_elsewhere(found) else "")


def _setting(paper: Paper) -> str:
    return say("claims.setting", setting=paper.setting)


def _head(finding: Finding) -> str:
    evidence = finding.evidence
    remarks = [*([say("claims.elsewhere")] if evidence.elsewhere else []), *filter(None, [evidence.note])]
    note = f" ({'; '.join(remarks)})" if remarks else ""
    return say("claims.head", setting=finding.setting + note, predicted=say(f"claims.{evidence.predicted}"))


def _parts(finding: Finding) -> str:
    """Returns for each outcome where it was found, by how much and with how many runs."""
    every = [_rounded(point) for point in finding.points]
    parts = []
    for outcome in OUTCOMES:
        group = [point for point in finding.points if point.outcome == outcome]
        if group:
            where = percents([_rounded(point) for point in group], every)
            parts.append(say("claims.part", outcome=outcome, where=where, change=_change(group), n=_runs(group)))
    return "; ".join(parts)


def _rounded(point: Point) -> float:
    return round(point.ratio, 4)


def _compared(evidence: Evidence) -> str:
    method = method_name(evidence.method)
    if evidence.check:
        return say("claims.check", method=method, check=check_name(evidence.check))
    if evidence.against:
        return say("claims.against", method=method, other=method_name(evidence.against))
    return say("claims.table", method=method)


def _runs(group: Sequence[Point]) -> str:
    return " to ".join(dict.fromkeys(str(end([point.n for point in group])) for end in (min, max)))


def _change(group: Sequence[Point]) -> str:
    """Returns the differences with the interval that decided; of several ratios their range."""
    if papers := [point.paper for point in group if point.paper]:
        return ", ".join(with_half(paper.delta, paper.half) for paper in papers)
    compared = [point.comparison for point in group if point.comparison and point.comparison.difference.n]
    if len(compared) == 1:
        return f"{with_interval(compared[0])}, {verdict_name(compared[0].verdict)}"
    interval = bracketed(min(one.low for one in compared), max(one.high for one in compared))
    verdicts = dict.fromkeys(verdict_name(one.verdict) for one in compared)
    within = f" {say('claims.within', interval=interval)}" if interval else ""
    return f"{span([one.difference.mean for one in compared])}{within}, {' or '.join(verdicts)}"


def markdown(papers: Sequence[Paper]) -> str:
    """Returns the claims as a page of Markdown."""
    return "\n".join([*_page(papers)]) + "\n"


def _page(papers: Sequence[Paper]) -> Iterator[str]:
    yield from ("# Claims of papers, and what could refute them", "", say("claims.page"), "", say("claims.legend"), "")
    yield "| paper | claims | " + " | ".join(f"{SIGNS[name]} {name}" for name in STANDINGS) + " | elsewhere |"
    yield "|---|---:|" + "---:|" * (len(STANDINGS) + 1)
    found = {id(claim): findings(claim) for paper in papers for claim in paper.claims}
    for paper in papers:
        counts = Counter(standing(found[id(claim)]) for claim in paper.claims)
        elsewhere = sum(only_elsewhere(found[id(claim)]) for claim in paper.claims)
        numbers = " | ".join(str(number or "") for number in [*(counts[name] for name in STANDINGS), elsewhere])
        yield f"| [{paper.short}](#{paper.name}) | {len(paper.claims)} | {numbers} |"
    for paper in papers:
        yield from ("", f"## {paper.short} {{#{paper.name}}}", "", f"{paper.citation}. {_setting(paper)}")
        yield from ("", "| claim | could be refuted by | found |", "|---|---|---|")
        for claim in paper.claims:
            yield _row(claim, found[id(claim)])
        if paper.differs:
            yield from ("", say("claims.code"), "")
            yield from (f"- {says} ({source})" for says, source in paper.differs)


def _row(claim: Claim, found: Found) -> str:
    where = standing(found)
    lines = [
        f"{SIGNS[where]} **{_stands(found)}**",
        *filter(None, [claim.untested]),
        *map(escape.markdown, told(found)),
    ]
    lines += [f"`reproductions/{folder}`" for folder in dict.fromkeys(one.evidence.records for one in found)]
    cells = [f"{claim.says} ({claim.source})", claim.test, "<br>".join(lines)]
    return f"| {' | '.join(cells)} |"


def machine_readable(papers: Sequence[Paper]) -> str:
    """Returns the claims as JSON: a list of papers, each claim with every comparison and its numbers."""
    return json.dumps([_paper(paper) for paper in papers], indent=1, ensure_ascii=False)


def _paper(paper: Paper) -> dict[str, Any]:
    claims = []
    for claim in paper.claims:
        found = findings(claim)
        claims.append(
            {
                **{name: getattr(claim, name) for name in ("says", "source", "test", "untested")},
                "standing": standing(found),
                "only_elsewhere": only_elsewhere(found),
                "found": [_plain(finding) for finding in found],
            }
        )
    differs = [{"says": says, "source": source} for says, source in paper.differs]
    return {
        "name": paper.name,
        "paper": paper.citation,
        "setting": paper.setting,
        "claims": claims,
        "code_differs": differs,
    }


def _plain(finding: Finding) -> dict[str, Any]:
    evidence = finding.evidence
    names = ("records", "method", "check", "against", "table", "predicted", "note", "elsewhere")
    named = {name: getattr(evidence, name) for name in names}
    return {**named, "setting": finding.setting, "margin": finding.margin,
            "ratios": [_numbers(point) for point in finding.points]}  # fmt: skip


def _numbers(point: Point) -> dict[str, Any]:
    numbers: dict[str, Any] = {"ratio": point.ratio, "outcome": point.outcome, "n": point.n}
    if point.paper:
        return {**numbers, "printed": point.paper.mean, "delta": point.paper.delta, "half": point.paper.half}
    assert point.comparison is not None  # a point is one or the other
    values = {name: getattr(point.comparison, name) for name in ("low", "high", "confidence")}
    finite = {name: value if value == value else None for name, value in values.items()}
    return {**numbers, "verdict": point.comparison.verdict, "difference": point.comparison.difference.mean, **finite}


FORMATS: Mapping[str, Callable[[Sequence[Paper]], str]] = {"text": text, "md": markdown, "json": machine_readable}
