"""Fills the templates of wording.toml, the one place where the sentences of a report stand."""

import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

Section = Mapping[str, str]


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """{"one": {"missing": text}} as {"one.missing": text}."""
    templates: dict[str, str] = {}
    for name, entry in table.items():
        if isinstance(entry, Mapping):
            templates |= _flat(entry, f"{prefix}{name}.")
        else:
            templates[prefix + name] = str(entry)
    return templates


TEMPLATES: Mapping[str, str] = _flat(
    tomllib.loads(Path(__file__).with_name("wording.toml").read_text(encoding="utf-8"))
)


_SINGLE = re.compile(r"(?<![\d.,])1 (more )?(comparison|method|network|other|point|ratio|recipe|seed|training)s\b")


def say(key: str, **values: object) -> str:
    """The template `key`, as in "one.equivalent", with the `values` that it names filled in; "1 points" is a point."""
    return _SINGLE.sub(r"1 \1\2", TEMPLATES[key].format_map(values))


def has(key: str) -> bool:
    """Whether there is a template `key`."""
    return key in TEMPLATES


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 test", "2 tests"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def opened(text: str, names: Collection[str] = ()) -> str:
    """A text as the beginning of a sentence: in capitals, unless it begins with one of the names, which are as they are
    whatever their first letter: "mine:Scaled's ticket" is found under that name, and adapter.py is a file.
    """
    return text if text.startswith(tuple(names)) else text[:1].upper() + text[1:]
