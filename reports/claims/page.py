"""Writes claims as a page of Markdown: what was found in a few words each, and below it the numbers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from reports import escape
from reports.claims.declared import Claim, Evidence, Paper
from reports.claims.found import STANDINGS, Finding, Found, findings, only_elsewhere, standing
from reports.claims.outcomes import LAST
from reports.claims.phrases import (
    SIGNS,
    about,
    by_standing,
    change,
    compared,
    outcome_name,
    remarks,
    runs,
    sentence,
    stands,
    unmeasured,
    verdicts,
    where,
)
from reports.labels import parse
from reports.text import say
from reports.wording import METHODS, check_name


def markdown(papers: Sequence[Paper]) -> str:
    """Returns the claims as a page of Markdown."""
    return "\n".join(_page(papers)) + "\n"


def _page(papers: Sequence[Paper]) -> Iterator[str]:
    found = {id(claim): findings(claim) for paper in papers for claim in paper.claims}
    yield from ("# Claims of papers, and what could refute them", "", say("claims.page"), "", *_signs(), "")
    yield from (say("claims.differences"), "", *_overview(papers, found))
    for paper in papers:
        yield from ("", f"## {paper.short} {{#{paper.name}}}", "", f"{paper.citation}. {about(paper)}")
        yield from ("", "| claim | could be refuted by | found |", "|---|---|---|")
        for number, claim in enumerate(paper.claims, 1):
            yield _row(number, claim, found[id(claim)])
        yield from _numbers(paper, found)
        if paper.differs:
            yield from ("", say("claims.code"), "")
            yield from (f"- {says} ({source})" for says, source in paper.differs)


def _signs() -> Iterator[str]:
    yield from ("| sign | meaning |", "|---|---|")
    for name, sign in SIGNS.items():
        yield f"| {sign} {name} | {say(f'claims.sign.{name}')} |"
    yield f"| † | {say('claims.dagger')} |"


def _overview(papers: Sequence[Paper], found: Mapping[int, Found]) -> Iterator[str]:
    yield "| paper | claims | " + " | ".join(f"{SIGNS[name]} {name}" for name in STANDINGS) + " | elsewhere |"
    yield "|---|---:|" + "---:|" * (len(STANDINGS) + 1)
    for paper in papers:
        counts = Counter(standing(found[id(claim)]) for claim in paper.claims)
        elsewhere = sum(only_elsewhere(found[id(claim)]) for claim in paper.claims)
        numbers = " | ".join(str(number or "") for number in [*(counts[name] for name in STANDINGS), elsewhere])
        yield f"| [{paper.short}](#{paper.name}) | {len(paper.claims)} | {numbers} |"


def _row(number: int, claim: Claim, found: Found) -> str:
    lines = [f"{SIGNS[standing(found)]} **{stands(found)}**", *filter(None, [claim.untested]), *_in_short(found)]
    if not any(finding.points for finding in found) and (folders := unmeasured(found)):
        lines.append(say("claims.unmeasured", records=_code(folders)))
    return f"| {sentence(claim, number)} | {claim.test} | {'<br>'.join(lines)} |"


def _in_short(found: Found) -> Iterator[str]:
    """Yields a line for each setting: the sign of each comparison, and where one did not hold."""
    measured = [finding for finding in found if finding.points]
    names = _names([finding.evidence for finding in measured])
    for setting, group in groupby(measured, lambda finding: finding.setting):
        by_sign: dict[str, list[str]] = {}
        for finding in group:
            name = names[id(finding.evidence)]
            by_sign.setdefault(standing([finding]), []).append(
                f"{name}{_exceptions(finding, named=bool(name))}".strip()
            )
        yield escape.markdown(f"{setting}: ") + "; ".join(
            f"{SIGNS[name]} {escape.markdown(', '.join(dict.fromkeys(texts)))}" for name, texts in by_sign.items()
        )


def _names(evidence: Sequence[Evidence]) -> dict[int, str]:
    """Returns for each comparison what tells it apart from the other ones of its claim; empty where nothing does."""
    parts = {id(one): [_method(one.method), _under(one.check), _against(one.against), _by(one)] for one in evidence}
    varies = [len(set(values)) > 1 for values in zip(*parts.values(), strict=True)]
    return {
        key: " ".join(part for part, told in zip(texts, varies, strict=True) if told and part)
        for key, texts in parts.items()
    }


def _method(label: str) -> str:
    """Returns the name without the paper it follows: "snip@lee2019[examples=1]" -> "SNIP (examples=1)"."""
    method = parse(label)[0]
    return METHODS.get(method.name, method.name) + (f" ({method.settings})" if method.options else "")


def _under(check: str) -> str:
    return say("claims.under", check=check_name(check)) if check else ""


def _against(label: str) -> str:
    return say("claims.beside", other=_method(label)) if label else ""


def _by(evidence: Evidence) -> str:
    return say("claims.by_outcome", outcome=outcome_name(evidence) or say(f"claims.outcome.{LAST}"))


def _exceptions(finding: Finding, named: bool) -> str:
    """Returns at which sparsities a comparison in part failed; all that was decided where it has no name."""
    places = {name: where(group, finding) for name, group in by_standing(finding) if name != "open" or not named}
    if named and standing([finding]) != "in part":
        return ""
    told = "; ".join(f"{name} at {place}" for name, place in places.items() if not named or name != "as claimed")
    return f" ({told})" if named else told


def _code(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _numbers(paper: Paper, found: Mapping[int, Found]) -> Iterator[str]:
    """Yields the table of all differences of a paper, and what is still to be measured."""
    every = [(number, one) for number, claim in enumerate(paper.claims, 1) for one in found[id(claim)]]
    if measured := [(number, finding) for number, finding in every if finding.points]:
        yield from (
            "",
            say("claims.numbers"),
            "",
            "| claim | compared | predicted | as claimed | not as claimed | open | n | records |",
        )
        yield "|---:|---|---|---|---|---|---:|---|"
        yield from (_differences(number, finding) for number, finding in measured)
    if folders := unmeasured(finding for _, finding in every):
        yield from ("", say("claims.unmeasured", records=_code(folders)))


def _differences(number: int, finding: Finding) -> str:
    evidence = finding.evidence
    cells: dict[str, list[str]] = {"as claimed": [], "not as claimed": [], "open": []}
    for name, group in by_standing(finding):
        place = f"{where(group, finding)}: {change(group, evidence)}"
        if name == "open":
            place = ", ".join(filter(None, [place, verdicts(group)]))
        elif name != "as claimed":
            place = f"{name} at {place}"
        cells[name if name in cells else "not as claimed"].append(escape.markdown(place))
    shown = [compared(evidence), say(f"claims.{evidence.predicted}"), "; ".join([evidence.records, *remarks(evidence)])]
    what, predicted, records = map(escape.markdown, shown)
    differences = " | ".join(map("<br>".join, cells.values()))
    return f"| {number} | {what} | {predicted} | {differences} | {runs(finding.points)} | {records} |"
