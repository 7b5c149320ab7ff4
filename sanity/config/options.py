"""Fills typed options, declared by a dataclass, from text or values, and reports mistakes in one line.

Methods, checks, recipes and the configuration of a run are dataclasses; only `fill` sets their options.
The docstring of the class explains each option in a line `name: text`.
"""

import dataclasses
import inspect
import keyword
import re
from collections.abc import Hashable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from sanity.errors import UserError, unknown

T = TypeVar("T")

ENTRY = re.compile(r"^(\w+(?:, \w+)*): (.+(?:\n {2,}.+)*)\n?", re.MULTILINE)
"""A line of a docstring that explains one option or several."""
LARGEST = 2**63 - 1
"""Larger integers are no sensible counts and overflow int64."""


def names(cls: type) -> list[str]:
    """Lists the options that `cls` takes; empty if it is no dataclass."""
    return (
        [key_of(field.name) for field in dataclasses.fields(cls) if field.init] if dataclasses.is_dataclass(cls) else []
    )


def key_of(field: str) -> str:
    """Returns the option's name for a field: the same, but `from` for the field `from_`, since `from` is a keyword."""
    return field[:-1] if keyword.iskeyword(field[:-1]) else field


def _field_of(option: str) -> str:
    return f"{option}_" if keyword.iskeyword(option) else option


def texts(cls: type) -> dict[str, str]:
    """Reads the explanations of the options from the docstrings of `cls` and its base classes."""
    entries: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        for listed, text in ENTRY.findall(inspect.cleandoc(base.__dict__.get("__doc__") or "")):
            entries |= dict.fromkeys(listed.split(", "), " ".join(text.split()))
    return {name: text for name, text in entries.items() if name in names(cls)}


def hints(cls: type) -> dict[str, Any]:
    """Resolves the annotations of `cls`. Raises `UserError` for an annotation with an undefined name."""
    return _hints(cast(Hashable, cls))


def fill(cls: type[T], values: Mapping[str, Any], owner: str) -> T:
    """Makes an instance of the dataclass `cls` with `values` (text or typed) in place of its defaults.

    Raises `UserError` naming `owner.option`, the value and what is allowed, for an unknown option, a bad value, an
    option that has no default and no value, and a class that cannot be made.
    """
    allowed = names(cls)
    for name in values:
        if name not in allowed:
            raise _unknown(cls, name, allowed, owner)
    typed: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{owner}.{name}" if owner else name
        try:
            typed[_field_of(name)] = _validator(cast(Hashable, cls), _field_of(name)).validate_python(_plain(value))
        except ValidationError as error:
            raise UserError(_one_line(key, value, error)) from None
        if _is_beyond(typed[_field_of(name)]):
            raise UserError(f"{key}={_shortened(value)}: should be at most {LARGEST:.1e}")
    hints(cls)  # also refuses annotations that cannot be resolved of options left at their default
    for name in _required(cls):
        if name not in typed:
            raise UserError(f"{owner}.{name}=: has no default; give it a value")
    return _make(cls, typed, owner)


def _make(cls: type[T], typed: Mapping[str, Any], owner: str) -> T:
    try:
        return cls(**typed)
    except UserError:
        raise
    except Exception as error:  # the constructor of a user's class may raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{owner or cls.__name__} cannot be made: {reason}") from error


def _unknown(cls: type, name: str, allowed: list[str], owner: str) -> UserError:
    """Explains why `cls` has no option `name`."""
    if name in inspect.get_annotations(cls) and "__dataclass_fields__" not in cls.__dict__:
        how = "put @dataclass(frozen=True, kw_only=True) above it"
        return UserError(f"{owner}.{name}: the class {cls.__name__} declares it, but is no dataclass; {how}")
    if not allowed:
        return UserError(f"{owner} takes no options, but got '{name}'")
    return unknown(f"option of {owner}", name, allowed)


def _required(cls: type) -> list[str]:
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    missing = dataclasses.MISSING
    return [field.name for field in fields if field.init and field.default is field.default_factory is missing]


@cache
def _hints(cls: Any) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except Exception as error:  # an annotation is code and may raise anything
        raise UserError(f"{cls.__name__}: the type of an option cannot be resolved: {error}") from error


@cache
def _validator(cls: Any, name: str) -> TypeAdapter[Any]:
    """Makes the validator of one option of `cls`; cached, since making it takes longer than using it."""
    hint = _hints(cls)[name]
    try:
        return TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False))
    except PydanticUserError:
        raise UserError(f"{cls.__name__}.{name}: {hint} is no type that an option can have") from None


def _plain(value: Any) -> Any:
    """Converts `null` and `~` to None; returns other values unchanged."""
    return None if isinstance(value, str) and value.lower() in ("null", "~") else value


def _is_beyond(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_is_beyond, value))
    return isinstance(value, int) and abs(value) > LARGEST


def _one_line(key: str, value: Any, error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False)
    words = [problem for problem in problems if problem["type"] == "literal_error"]
    others = [problem for problem in problems if problem not in words]
    main = others or words  # of "auto, or a number" the number says more of what is wrong
    expected = "; ".join(dict.fromkeys(problem["msg"][0].lower() + problem["msg"][1:] for problem in main))
    expected += "".join(problem["msg"].replace("Input should be", ", or") for problem in words if others)
    shown = main[0]["input"] if len(main) == 1 and main[0]["loc"] else value
    return f"{key}={_shortened(shown)}: {expected.replace('input ', '')}"


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:50]}... ({len(text)} characters)"


def expanded(path: Path | str, key: str) -> Path:
    """`path` with a leading `~` or `~user` replaced. Raises `UserError` naming `key` where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{key}={path}: there is no home directory for {Path(path).parts[0]}; give a path") from None
