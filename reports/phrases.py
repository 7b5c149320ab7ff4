"""What each check does, in words: those of wording.toml, put together for checks that are composed or have options."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce

from reports.labels import Part, parse
from reports.text import has, say

Words = Mapping[str, Mapping[str, str]]
"""What checks that are not ours say of themselves: name -> "keeps" and "destroys"."""


@dataclass(frozen=True)
class Phrase:
    """The words for one check, which sentences are made of.

    action: what the check does, as the subject of a sentence.
    subject: what accuracy depends on if the check changes it.
    unchanged: why a ticket can stay as it was.
    data: what the method was shown instead of its data; empty for a check that leaves the data alone.
    unused: what the method does not look at if its ticket stays the same on other data.
    """

    action: str
    subject: str
    unchanged: str = ""
    data: str = ""
    unused: str = ""


def phrase(check: str, theirs: Words | None = None) -> Phrase:
    """The words for a check, for a composition of known checks, or, with its label in it, for one unknown here.

    theirs: the words of checks that are not ours, where their records hold them.
    """
    parts, words = parse(check), theirs or {}
    if any(part.name in words for part in parts) and all(_is_known(part, words) for part in parts):
        return reduce(_together, (_single(part, words) for part in parts))
    if not all(_is_known(part, {}) for part in parts):
        return Phrase(say("other_check.action", check=check), say("other_check.subject"), say("other_check.unchanged"))
    whole = "+".join(part.name for part in parts)
    if not has(f"check.{whole}.action"):
        return reduce(_together, (_single(part, {}) for part in parts))
    options = ", ".join(part.settings for part in parts if part.options)
    return _with_options(_named(whole), options)


def _is_known(part: Part, theirs: Words) -> bool:
    return part.name in theirs or has(f"check.{part.name}.action")


def _single(part: Part, theirs: Words) -> Phrase:
    if part.name not in theirs:
        return _with_options(_named(part.name), part.settings)
    keeps, destroys = (theirs[part.name].get(field, "").strip().rstrip(".") for field in ("keeps", "destroys"))
    action = say("told_check.action" if keeps else "told_check.action_alone", check=part.label, destroys=destroys,
                 keeps=keeps)  # fmt: skip
    return Phrase(action, destroys, say("other_check.unchanged"))


def _named(name: str) -> Phrase:
    entries = {field: f"check.{name}.{field}" for field in ("action", "subject", "unchanged", "data", "unused")}
    words = {field: say(key) for field, key in entries.items() if has(key)}
    return Phrase(**{"unchanged": say("other_check.unchanged"), **words})


def _with_options(words: Phrase, options: str) -> Phrase:
    if not options:
        return words
    data = words.data and say("check_with_options.data", data=words.data, options=options)
    return replace(words, action=say("check_with_options.action", action=words.action, options=options), data=data)


def _together(first: Phrase, second: Phrase) -> Phrase:
    """The words for two checks at once; of the data only where both are."""
    only_data = bool(first.data and second.data)
    return Phrase(
        say("composed_check.action", first=first.action, second=second.action),
        say("composed_check.subject", first=first.subject, second=second.subject),
        say("other_check.unchanged"),
        say("composed_check.data", first=first.data, second=second.data) if only_data else "",
        say("composed_check.unused", first=first.unused, second=second.unused) if only_data else "",
    )
