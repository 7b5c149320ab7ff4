"""Expands ranges in lists of the command line: `seeds=0-27` or `0:28`, and `ratio=0.5:0.95:0.05`."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from sanity.errors import UserError

LONGEST_RANGE = 10_000  # elements; a longer range is taken for a typing error


def elements(key: str, text: str) -> tuple[str, ...]:
    """Splits the text of a list at its commas and expands ranges. Raises `UserError` for an empty element or range."""
    parts = tuple(part.strip() for part in text.split(","))
    if "" in parts:
        raise UserError(f"{key}={text}: has an empty element")
    if key == "seeds":
        _ask(text)
        return tuple(seed for part in parts for seed in _seeds(part))
    return tuple(ratio for part in parts for ratio in _ratios(part)) if key == "ratio" else parts


def _ask(text: str) -> None:
    """Raises `UserError` for a single number, which may be meant as that seed alone or as that many seeds."""
    digits = text.strip()
    if digits.isdecimal() and len(digits) <= len(str(LONGEST_RANGE)) and int(digits) > 1:
        number = int(digits)
        raise UserError(
            f"seeds={text}: {number} seeds, or seed {number} alone? Write seeds=0-{number - 1}, or "
            f"seeds={number}-{number}"
        )


def _seeds(text: str) -> Iterable[str]:
    """Expands `0-4` with its last seed, and `0:5` without, as in Python; returns other text unchanged."""
    for sign, beyond in (("-", 1), (":", 0)):
        first, found, last = text.partition(sign)
        if found and first.isdecimal() and last.isdecimal():
            end = int(last) + beyond
            if not 0 < end - int(first) <= LONGEST_RANGE:
                raise UserError(f"seeds={text}: a range goes upwards and has at most {LONGEST_RANGE:,} seeds")
            return map(str, range(int(first), end))
    return [text]


def _ratios(text: str) -> Iterable[str]:
    """Expands `first:last:step`, with its last value; returns other text unchanged. Decimals keep 0.6 exact."""
    if ":" not in text:
        return [text]
    try:
        first, last, step = map(Decimal, text.split(":"))
        count = int((last - first) / step) + 1 if step > 0 and last >= first else 0
    except (InvalidOperation, ValueError, OverflowError):
        raise UserError(f"ratio={text}: a range is first:last:step, as in 0.5:0.95:0.05") from None
    if not 0 < count <= LONGEST_RANGE:
        raise UserError(f"ratio={text}: a range goes upwards and has at most {LONGEST_RANGE:,} ratios")
    return [str(first + number * step) for number in range(count)]
