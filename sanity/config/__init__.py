"""Defines the keys of the command line and fills typed options; a mistake is reported in one line."""

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
