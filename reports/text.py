"""Fills the templates of wording.toml, the one place where the sentences of a report stand."""

import re
import tomllib
from collections.abc import Mapping
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


_SINGLE = re.compile(r"(?<![\d.,])1 points\b")


def say(key: str, **values: object) -> str:
    """The template `key`, as in "one.equivalent", with the `values` that it names filled in; "1 points" is a point."""
    return _SINGLE.sub("1 point", TEMPLATES[key].format_map(values))


def has(key: str) -> bool:
    """Whether there is a template `key`."""
    return key in TEMPLATES


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 test", "2 tests"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
