"""Keeps how far a long search has come, so that one that was stopped or killed goes on where it was."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from torch import Tensor

Progress = tuple[Mapping[str, Tensor], Mapping[str, Any]]
"""Tensors by name, and facts as JSON values."""


class Keeper(Protocol):
    """Stores the progress of one search."""

    def load(self, asked: str) -> Progress | None:
        """Returns what was kept last; None where nothing is there, it is damaged, or something else was asked for."""

    def offer(self, asked: str, make: Callable[[], Progress]) -> None:
        """Called between two steps; keeps what `make` returns if it is time. May raise to end the search.

        asked: what tells this search from others of the same method and network: its ratio.
        """


_KEEPER: ContextVar[Keeper | None] = ContextVar("keeper", default=None)


def load(asked: str) -> Progress | None:
    """Returns the progress of the present search, as `Keeper.load`; None where nothing keeps it."""
    keeper = _KEEPER.get()
    return None if keeper is None else keeper.load(asked)


def offer(asked: str, make: Callable[[], Progress]) -> None:
    """Offers the progress of the present search, as `Keeper.offer`, to what keeps it, if anything does."""
    keeper = _KEEPER.get()
    if keeper is not None:
        keeper.offer(asked, make)


@contextmanager
def kept_by(keeper: Keeper) -> Iterator[None]:
    """Context manager; `keeper` keeps the progress of searches inside."""
    before = _KEEPER.set(keeper)
    try:
        yield
    finally:
        _KEEPER.reset(before)
