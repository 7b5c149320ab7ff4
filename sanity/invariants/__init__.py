"""Proves the invariants of all registered methods and checks, and of a method or check of one's own.

    pytest --pyargs sanity.invariants --sanity-method package.module:Class --sanity-check package.module:Class

Without either option, every registered method and check is proven, those of installed packages included, and the
laws of the built-in ones besides. From Python, on an instance:

    from sanity.invariants import check_method
    check_method(Mine(power=2.0), expected_failures={"scores/scores_tell_weights_apart": "few levels, by design"})
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sanity.invariants.proofs import check_check as check_check
    from sanity.invariants.proofs import check_method as check_method

__all__ = ["check_check", "check_method"]


def __getattr__(name: str) -> Any:
    """Imports the proofs when they are wanted: the plugin beside them is loaded by every pytest, without torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sanity.invariants import proofs  # not at the start of every pytest

    return getattr(proofs, name)
