"""Names results by a hash of all that determines them."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

KEY_LENGTH = 20
_GAP = "\0"  # JSON escapes it, so that no encoded value contains it
FORMAT = 2
"""Increase it by hand when a change alters the results of all settings; methods and checks have their own versions.
2: SNIP draws the biases that it prunes."""


def differing(item: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass instance that differ from their defaults. Only these enter an identity, so that
    a new option with a neutral default changes no identity."""
    return {
        spec.name: getattr(item, spec.name)
        for spec in dataclasses.fields(item)
        if spec.init and getattr(item, spec.name) != spec.default
    }


def identity(content: Mapping[str, Any]) -> str:
    """Returns the name of a result: a hash of the mapping that determines it."""
    text = json.dumps(plain({"format": FORMAT, **content}), sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def is_key(text: str) -> bool:
    """Whether `text` has the form of a name from `identity`."""
    return len(text) == KEY_LENGTH and set(text) <= set("0123456789abcdef")


def plain(value: Any) -> Any:
    """Converts `value` to JSON types; numbers that are not finite become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


def encode(value: Any) -> str:
    """Encodes a value as the JSON that is hashed."""
    return json.dumps(plain(value), sort_keys=True, allow_nan=False, default=str)


@lru_cache(maxsize=1024, typed=True)
def _encoded_value(value: float | str) -> str:
    return encode(value)


def encoded(fields: Mapping[str, Any]) -> dict[str, str]:
    """Encodes every value of a mapping."""
    return {name: encode(value) for name, value in fields.items()}


class Form:
    """Computes `identity` of fields of which few differ from cell to cell; the rest is written once.

    shared: fields, encoded. own: the names of the others.
    """

    def __init__(self, shared: Mapping[str, str], own: Iterable[str] = ()) -> None:
        fields = {"format": str(FORMAT), **shared, **dict.fromkeys(own, _GAP)}
        self._names = sorted(own)
        text = ", ".join(f'"{name}": {fields[name]}' for name in sorted(fields))
        self._pieces = f"{{{text}}}".split(_GAP)

    def hash(self, own: Mapping[str, Any]) -> str:
        """Returns the key of the fields with these values of their own."""
        text = self._pieces[0]
        for name, piece in zip(self._names, self._pieces[1:], strict=True):
            text += _encoded_value(own[name]) + piece
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]
