"""Knows the pruning methods by name. Importing this package imports no torch; `get` does."""

from typing import TYPE_CHECKING, Any

from methods.registry import REGISTRY

if TYPE_CHECKING:
    from methods.base import Method

__all__ = ["REGISTRY", "get", "searching"]


def searching() -> list[str]:
    """Lists the methods that find a mask in any network; those that read it from a file are left out."""
    return [name for name in REGISTRY.names() if not getattr(REGISTRY.load(name), "reads_files", False)]


def get(name: str, variant: str = "", /, **options: Any) -> "Method":
    """Returns the method called `name`, with the settings of the paper `variant` and then `options` over its defaults.

    name: a registered name, or `package.module:Class`, or `package.module:function` for a plain function that prunes.
    variant: e.g. "su2020": the settings of that paper's own code; "" takes the method's defaults.
    options: the dataclass fields of the method, as values or as text.

    Raises `UserError` for an unknown name, variant or option, and for a value out of bounds.
    """
    from methods.presets import from_class  # which imports torch

    return from_class(REGISTRY.load(name), name, variant, options)
