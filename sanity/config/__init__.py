"""Keys of the command line and typed options: what they may be, and one line where they are not."""

from sanity.config.run_config import (
    SECTIONS,
    RunConfig,
    from_mapping,
    is_list,
    nested,
    pairs,
    parse,
    table,
    type_name,
)

__all__ = ["SECTIONS", "RunConfig", "from_mapping", "is_list", "nested", "pairs", "parse", "table", "type_name"]
