"""Defines the keys of the command line, fills typed options and registers parts by name; a mistake is one line.

The keys stand in `sanity.config.run_config`, which imports pydantic: it is imported once one of these names is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sanity.config.run_config import (
        AUTO,
        SECTIONS,
        RunConfig,
        from_mapping,
        is_list,
        key_names,
        nested,
        pairs,
        parse,
        table,
        type_name,
    )

__all__ = [
    "AUTO",
    "SECTIONS",
    "RunConfig",
    "from_mapping",
    "is_list",
    "key_names",
    "nested",
    "pairs",
    "parse",
    "table",
    "type_name",
]


def __getattr__(name: str) -> Any:
    """Returns a name of `sanity.config.run_config`. Raises `AttributeError` for one that is not in `__all__`."""
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from sanity.config import run_config  # which imports pydantic

    return getattr(run_config, name)
