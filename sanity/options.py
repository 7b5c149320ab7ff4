"""Typed options: a dataclass declares them, text or values fill them, mistakes come back as one line.

Methods, checks, recipes and the run itself are dataclasses; `fill` is the one door through which values enter them.
"""

import dataclasses
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from sanity.errors import UserError, unknown

T = TypeVar("T")


def names(cls: type) -> list[str]:
    """The names of the options that `cls` (a dataclass) takes."""
    return [field.name for field in dataclasses.fields(cls) if field.init]


def _plain(value: Any) -> Any:
    """Text that means "nothing" becomes None; lists are read element by element."""
    return None if isinstance(value, str) and value.lower() in ("null", "~") else value


@cache
def _hints(cls: Hashable) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


@cache
def _validator(cls: Hashable, name: str) -> TypeAdapter[Any]:
    """The validator of one option of `cls`; kept, since making one takes longer than all that it validates."""
    return TypeAdapter(_hints(cls)[name])


def fill(cls: type[T], values: Mapping[str, Any], owner: str) -> T:
    """An instance of the dataclass `cls` with `values` (text or typed) in place of its defaults.

    Raises `UserError` naming `owner.option`, the value and what is allowed, for an unknown option or a bad value.
    """
    for name in values:
        if name not in names(cls):
            if not names(cls):
                raise UserError(f"{owner} takes no options, but got '{name}'")
            raise unknown(f"option of {owner}", name, names(cls))
    typed: dict[str, Any] = {}
    for name, value in values.items():
        try:
            typed[name] = _validator(cast(Hashable, cls), name).validate_python(_plain(value))
        except ValidationError as error:
            raise UserError(_one_line(f"{owner}.{name}" if owner else name, value, error)) from None
    return cls(**typed)


def _one_line(key: str, value: Any, error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False)
    wanted = "; ".join(dict.fromkeys(problem["msg"][0].lower() + problem["msg"][1:] for problem in problems))
    shown = problems[0]["input"] if len(problems) == 1 and problems[0]["loc"] else value
    return f"{key}={shown}: {wanted.replace('input ', '')}"
