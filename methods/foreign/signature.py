"""Reads from the signature of somebody's function what it can be given and which of its parameters are options."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.errors import PydanticUserError

from sanity.errors import UserError

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_EXTRAS = ("device", "generator")
_CALL = "(model, loader, ratio)"
_ANYTHING = Annotated[bool | int | float | str | None, Field(union_mode="left_to_right")]
_NUMBER = Annotated[int | float, Field(union_mode="left_to_right")]


@dataclass(frozen=True)
class Signature:
    """What a function takes besides network, loader and ratio.

    extras: which of `device` and `generator`. options: its parameters with plain defaults: name -> (type, default).
    """

    extras: tuple[str, ...]
    options: dict[str, tuple[Any, Any]]


def read(function: Callable[..., Any], name: str, taken: frozenset[str]) -> Signature:
    """Reads the signature of a function.

    Args:
        function: somebody's function.
        name: as the user wrote it, for messages.
        taken: the options that every function has, which its parameters must not be called.

    Raises:
        UserError: where it cannot be called with network, loader and ratio, or a parameter has the name of an option.
    """
    parameters = list(inspect.signature(function).parameters.values())
    first = [parameter for parameter in parameters if parameter.kind in _POSITIONAL][:3]
    takes_any = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    if (len(first) < 3 and not takes_any) or any(parameter.name in _EXTRAS for parameter in first):
        given = ", ".join(parameter.name for parameter in parameters)
        raise UserError(f"method '{name}': is called as {_CALL}, but takes ({given}); write an adapter of a few lines")
    rest = [parameter for parameter in parameters if parameter not in first and parameter.kind not in _VARIABLE]
    others = [parameter for parameter in rest if parameter.name not in _EXTRAS]
    for parameter in others:
        if parameter.default is inspect.Parameter.empty:
            raise UserError(
                f"method '{name}': is called as {_CALL}, and its parameter '{parameter.name}' has no default; "
                "give it one, or set it in an adapter"
            )
        if parameter.name in taken:
            raise UserError(
                f"method '{name}': its parameter '{parameter.name}' has the name of an option that every method has; "
                "rename it in an adapter"
            )
    hints = _hints(function)
    options = {
        parameter.name: (_type(hints.get(parameter.name), parameter.default), parameter.default)
        for parameter in others
        if parameter.default is None or isinstance(parameter.default, bool | int | float | str)
    }
    return Signature(
        extras=tuple(parameter.name for parameter in rest if parameter.name in _EXTRAS),
        options={key: option for key, option in options.items() if option[0] is not None},
    )


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # an annotation is code and may raise anything
        return {}


def _type(hint: Any, default: Any) -> Any:
    """The type of an option; None where text cannot become such a value, as for a network or a loss."""
    if hint is None:
        by_default = {bool: bool, int: _NUMBER, float: float, str: str}
        return by_default.get(type(default), _ANYTHING)
    try:
        TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False))
    except PydanticUserError:
        return None
    return hint
