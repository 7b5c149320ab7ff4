"""Names for methods, checks, models and data sets, and the source code behind those that are not ours."""

from sanity.registry.registry import Registry

__all__ = ["Registry"]
