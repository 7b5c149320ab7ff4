"""Finds the key that was meant where an option was written without its part: `epochs=3` for `recipe.epochs=3`."""

from collections.abc import Iterator, Mapping
from typing import Any

from sanity.config import RunConfig, key_names, options
from sanity.errors import UserError, nearest, unknown

_SHOWN = 3  # parts of a run that have an option of one name


def refuse_unknown(given: Mapping[str, Any]) -> None:
    """Raises `UserError` for the first plain key that there is not; it names what is like it."""
    plain = key_names()
    for key in given:
        if "." not in key and key not in plain and key != "options":
            raise _unknown(key, given, plain)


def _unknown(key: str, given: Mapping[str, Any], plain: list[str]) -> UserError:
    dotted = [f"{part}.{option}" for part, cls in _parts(given) for option in options.names(cls)]
    names = {name.rpartition(".")[2] for name in dotted}
    near = key if key in names else "" if nearest(key, plain) else nearest(key, names)
    meant = [name for name in dotted if name.rpartition(".")[2] == near][:_SHOWN]
    if not meant:
        return unknown("key", key, plain)
    return UserError(f"unknown key '{key}'. Did you mean {' or '.join(map(repr, meant))}? See --help {meant[0]}")


def _parts(given: Mapping[str, Any]) -> Iterator[tuple[str, type]]:
    """Yields the parts of the run that are named correctly, with the prefix of their options."""
    import checks  # imported only now, since a file in the working directory may hide them, which is said first
    import methods
    from sanity import data, models, recipes

    yield "recipe", recipes.Recipe
    for key, registry in {"dataset": data.REGISTRY, "model": models.REGISTRY}.items():
        yield from ((key, registry.load(name)) for name in _names(given, key) if name in registry.names())
    for key, registry in {"methods": methods.REGISTRY, "checks": checks.REGISTRY}.items():
        yield from ((name, registry.load(name)) for name in _names(given, key) if name in registry.names())


def _names(given: Mapping[str, Any], key: str) -> list[str]:
    value = given.get(key, getattr(RunConfig, key))
    listed = value.replace("+", ",").split(",") if isinstance(value, str) else value
    return [str(name).strip().partition("@")[0] for name in listed]
