"""Lets values that are looked up in dictionaries again and again compute their hash once."""

from typing import Any, TypeVar

T = TypeVar("T")
_KEPT = "_hash"


def hashed_once(cls: type[T]) -> type[T]:
    """Decorates a frozen dataclass, so that an instance keeps its hash; not in another process, where it differs.

    The plan of a large grid looks methods, checks and tickets up millions of times, and a ticket of many rounds holds
    those of all earlier rounds.
    """
    compute = cls.__hash__

    def kept(self: Any) -> int:
        try:
            value: int = self._hash
        except AttributeError:
            value = compute(self)
            object.__setattr__(self, _KEPT, value)
        return value

    def state(self: Any) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != _KEPT}

    cls.__hash__ = kept  # type: ignore[method-assign]
    cls.__getstate__ = state  # type: ignore[method-assign]
    return cls
