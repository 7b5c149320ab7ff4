"""Reads moments of a schedule: the initialisation, the end, an epoch, an iteration, or a share of the schedule.

Of weights there is one more: the epoch of the best test accuracy, which only the training itself tells.

An option holds a moment as a plain value: a whole number is an epoch, text is anything else. `iterations` places it on
a schedule.
"""

from functools import lru_cache
from math import floor
from typing import Annotated

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

INIT, END, BEST = "init", "end", "best"
_ALLOWED = "should be init, end, an epoch (3 or 3ep), an iteration (1000it) or a share of the schedule (5%)"
_ALLOWED_OF_WEIGHTS = (
    "should be init, end, an epoch (3 or 3ep), an iteration (1000it), a share of the schedule (5%), or the epoch of "
    "the best test accuracy (best; best30: of the first 30 epochs)"
)


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


def canonical_of_weights(value: object) -> int | str:
    """Returns the one way in which a moment of weights is written: as `canonical` has it, or `best`, `best30`.

    Raises `PydanticCustomError` for what is none.
    """
    text = str(value).strip()
    if is_best(text):
        epochs = text.removeprefix(BEST).removesuffix("ep")
        return f"{BEST}{int(epochs)}" if epochs else BEST
    try:
        return canonical(value)
    except PydanticCustomError:
        raise PydanticCustomError("moment", _ALLOWED_OF_WEIGHTS) from None


def is_best(value: object) -> bool:
    """Returns whether the moment is the epoch of the best test accuracy, of all epochs or of the first ones."""
    text = str(value)
    among = text.removeprefix(BEST).removesuffix("ep")
    return text == BEST or (text.startswith(BEST) and among.isdecimal() and int(among) > 0)


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


@lru_cache(maxsize=1024)
def iterations(value: int | str, epochs: int, steps: int) -> int:
    """Returns how many iterations of a schedule of `epochs` epochs of `steps` iterations lie before the moment.

    Of `best` and `best30`: before the end of the epochs among which the best is, when it is known.
    """
    if is_best(value):
        among = str(canonical_of_weights(value)).removeprefix(BEST)
        return (int(among) if among else epochs) * steps
    where = placed(canonical(value), epochs)
    if where == INIT:
        return 0
    if where == END:
        return epochs * steps
    return where * steps if isinstance(where, int) else int(where.removesuffix("it"))


Moment = Annotated[int | str, PlainValidator(canonical), Field(title="init|end|epoch|1000it|5%")]
"""The type of an option that names a moment."""
WeightsMoment = Annotated[
    int | str, PlainValidator(canonical_of_weights), Field(title="init|end|epoch|1000it|5%|best|best30")
]
"""The type of an option that names the moment of dense training whose weights are meant."""
