"""Names results by a hash of what determines them."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

KEY_LENGTH = 20
FORMAT = 2
"""Raised by hand where all settings come to mean other results; methods and checks have versions of their own.
2: SNIP draws the biases that it prunes."""


def differing(item: Any) -> dict[str, Any]:
    """The fields of a dataclass instance that differ from their defaults: a new option with a neutral default leaves
    every identity as it was."""
    return {
        spec.name: getattr(item, spec.name)
        for spec in dataclasses.fields(item)
        if spec.init and getattr(item, spec.name) != spec.default
    }


def identity(what: Mapping[str, Any]) -> str:
    """The name of a result: a hash of what determines it."""
    text = json.dumps(plain({"format": FORMAT, **what}), sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def is_key(text: str) -> bool:
    """Whether `text` is a name that `identity` gives."""
    return len(text) == KEY_LENGTH and set(text) <= set("0123456789abcdef")


def plain(value: Any) -> Any:
    """`value` as JSON has it; what is not finite becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value
