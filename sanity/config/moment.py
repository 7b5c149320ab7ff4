"""Reads moments of a schedule: the initialisation, the end, an epoch, an iteration, or a share of the schedule.

An option holds a moment as a plain value: a whole number is an epoch, text is anything else. `iterations` places it on
a schedule.
"""

from math import floor
from typing import Annotated

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

INIT, END = "init", "end"
_ALLOWED = "should be init, end, an epoch (3 or 3ep), an iteration (1000it) or a share of the schedule (5%)"


def canonical(value: object) -> int | str:
    """Returns the one way in which a moment is written: 3 for `3` and `3ep`; `1000it`, `5%`, `init` and `end` as text.

    Raises `PydanticCustomError` for what is no moment.
    """
    text = str(value).strip()
    if text in (INIT, END):
        return text
    if text.removesuffix("ep").isdecimal():
        return int(text.removesuffix("ep"))
    if text.endswith("it") and text.removesuffix("it").isdecimal():
        return f"{int(text.removesuffix('it'))}it"
    if is_share(text):
        return text
    raise PydanticCustomError("moment", _ALLOWED)


def is_share(value: object) -> bool:
    """Returns whether the moment is a share of the schedule, such as `5%`: above 0 and at most 100 percent."""
    number, percent, rest = str(value).partition("%")
    try:
        return bool(percent) and not rest and 0 < float(number) <= 100
    except ValueError:
        return False


def placed(value: int | str, epochs: int) -> int | str:
    """Returns the moment on a schedule of that many epochs: a share becomes the nearest epoch, 1 at least."""
    if not is_share(value):
        return value
    return max(floor(float(str(value)[:-1]) / 100 * epochs + 0.5), 1)


def iterations(value: int | str, epochs: int, steps: int) -> int:
    """Returns how many iterations of a schedule of `epochs` epochs of `steps` iterations lie before the moment."""
    where = placed(canonical(value), epochs)
    if where == INIT:
        return 0
    if where == END:
        return epochs * steps
    return where * steps if isinstance(where, int) else int(where.removesuffix("it"))


Moment = Annotated[int | str, PlainValidator(canonical), Field(title="init|end|epoch|1000it|5%")]
"""The type of an option that names a moment."""
