"""Writes claims as text of 80 columns, as Markdown and as JSON."""

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from reports.claims.declared import Claim, Paper
from reports.claims.found import Finding, Found, Point, findings, only_elsewhere, standing
from reports.claims.page import markdown
from reports.claims.phrases import (
    SIGNS,
    about,
    by_standing,
    change,
    compared,
    remarks,
    runs,
    sentence,
    stands,
    unmeasured,
    verdicts,
    where,
)
from reports.text import say

WIDTH = 80


def text(papers: Sequence[Paper]) -> str:
    """Returns the claims as text of at most 80 columns."""
    lines: list[str] = []
    for paper in papers:
        lines += [paper.short, *_wrapped(paper.citation, "  "), *_wrapped(about(paper), "  "), ""]
        for number, claim in enumerate(paper.claims, 1):
            lines += [*_claim(number, claim, findings(claim)), ""]
        for says, source in paper.differs:
            lines += _wrapped(say("claims.differs", says=says, source=source), "  * ", "    ")
        lines.append("")
    signs = [f"{sign} {name}: {say(f'claims.sign.{name}')}" for name, sign in SIGNS.items()]
    signs.append(f"† {say('claims.dagger')}")
    legend = [line for sign in signs for line in _wrapped(sign, "", "  ")]
    return "\n".join([*lines, *legend, *_wrapped(say("claims.differences"), "")])


def _claim(number: int, claim: Claim, found: Found) -> Iterator[str]:
    stand = standing(found)
    yield from _wrapped(f"{SIGNS[stand]} {sentence(claim, number)}", "  ", "      ")
    yield from _wrapped(f"{stand}: {claim.untested}" if claim.untested else stands(found), "      ")
    for part in [say("claims.test", test=claim.test), *told(found)]:
        yield from _wrapped(part, "      - ", "        ")


def _wrapped(line: str, first: str, further: str = "") -> list[str]:
    return textwrap.wrap(line, WIDTH, initial_indent=first, subsequent_indent=further or first)


def told(found: Found) -> Iterator[str]:
    """Returns a line for each setting and prediction, and one below it for each comparison that was made there."""
    for head, group in groupby([finding for finding in found if finding.points], _head):
        lines = [say("claims.comparison", compared=compared(one.evidence), parts=_parts(one)) for one in group]
        yield head + (f" {lines[0]}" if len(lines) == 1 else "")
        yield from lines if len(lines) > 1 else ()
    if folders := unmeasured(found):
        yield say("claims.unmeasured", records=", ".join(folders))


def _head(finding: Finding) -> str:
    notes = remarks(finding.evidence)
    setting = finding.setting + (f" ({'; '.join(notes)})" if notes else "")
    return say("claims.head", setting=setting, predicted=say(f"claims.{finding.evidence.predicted}"))


def _parts(finding: Finding) -> str:
    """Returns for each standing where it was found, by how much and with how many runs."""
    parts = []
    for name, group in by_standing(finding):
        difference = ", ".join(filter(None, [change(group, finding.evidence), verdicts(group)]))
        parts.append(say("claims.part", standing=name, where=where(group, finding), change=difference, n=runs(group)))
    return "; ".join(parts)


def machine_readable(papers: Sequence[Paper]) -> str:
    """Returns the claims as JSON: a list of papers, each claim with every comparison and its numbers."""
    return json.dumps([_paper(paper) for paper in papers], indent=1, ensure_ascii=False)


def _paper(paper: Paper) -> dict[str, Any]:
    claims = []
    for claim in paper.claims:
        found = findings(claim)
        claims.append(
            {
                **{name: getattr(claim, name) for name in ("says", "source", "unseen", "test", "untested")},
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
        "read": paper.read,
        "claims": claims,
        "code_differs": differs,
    }


def _plain(finding: Finding) -> dict[str, Any]:
    evidence = finding.evidence
    names = ("records", "method", "check", "against", "table", "predicted", "outcome", "note", "elsewhere")
    named = {name: getattr(evidence, name) for name in names}
    return {**named, "setting": finding.setting, "unit": evidence.measured.unit, "margin": finding.margin,
            "ratios": [_numbers(point) for point in finding.points]}  # fmt: skip


def _numbers(point: Point) -> dict[str, Any]:
    numbers: dict[str, Any] = {"ratio": point.ratio, "standing": point.standing, "n": point.n}
    if point.paper:
        return {**numbers, "printed": point.paper.mean, "delta": point.paper.delta, "half": point.paper.half}
    assert point.comparison is not None  # a point is one or the other
    values = {name: getattr(point.comparison, name) for name in ("low", "high", "confidence")}
    finite = {name: value if value == value else None for name, value in values.items()}
    difference = point.comparison.difference.mean
    return {**numbers, "verdict": point.comparison.verdict, "difference": difference, **finite, "means": point.means}


FORMATS: Mapping[str, Callable[[Sequence[Paper]], str]] = {"text": text, "md": markdown, "json": machine_readable}
