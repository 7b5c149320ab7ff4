"""Names results by a hash of all that determines them."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

KEY_LENGTH = 20
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
