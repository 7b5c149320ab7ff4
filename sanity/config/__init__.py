"""Defines the keys of the command line, fills typed options and registers parts by name; a mistake is one line."""

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
