"""Builds a method from its class, with the settings of a paper's code."""

from collections.abc import Mapping
from typing import Any

from methods.base import Method
from sanity.config.options import fill
from sanity.errors import UserError, unknown


def from_class(cls: type[Method], name: str, variant: str, options: Mapping[str, Any]) -> Method:
    """Returns an instance of `cls` with the settings of `variant` under `options`."""
    presets = variants(cls, name)
    if variant and variant not in presets:
        raise unknown(f"variant of {name}", variant, presets)
    preset = presets[variant] if variant else {}
    return fill(cls, {**preset, **options}, name)


def variants(cls: type[Method], name: str) -> Mapping[str, Mapping[str, Any]]:
    """Returns the settings of papers' code that `cls` offers.

    Raises `UserError` where `cls` is no method, or its `variants` are no mapping of mappings.
    """
    if not (isinstance(cls, type) and issubclass(cls, Method)):
        raise UserError(f"method {name} is no class that derives from methods.base.Method")
    presets = cls.variants
    if not isinstance(presets, Mapping) or not all(isinstance(preset, Mapping) for preset in presets.values()):
        raise UserError(f"method {name}: variants must map the name of a paper to the options that its code sets")
    return presets
