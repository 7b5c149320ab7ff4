"""Says how long something takes as a person would."""

import math

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float) -> str:
    """Seconds in their two largest units: "42 s", "3 min 20 s", "5 h 12 min", "2 d 3 h"; "unknown" for NaN."""
    if math.isnan(seconds):
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    place = next((place for place, (_, size) in enumerate(_UNITS) if whole >= size), len(_UNITS) - 1)
    unit, size = _UNITS[place]
    count, rest = divmod(whole, size)
    if place + 1 == len(_UNITS):
        return f"{count} {unit}"
    lesser, lesser_size = _UNITS[place + 1]
    part = rest // lesser_size
    return f"{count} {unit} {part} {lesser}" if part else f"{count} {unit}"
