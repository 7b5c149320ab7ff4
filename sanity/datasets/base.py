"""The former name of `sanity.data.source`, kept for packages that import it."""

from sanity.data.source import Limit, Source, Split, first_of_each, occurrences

__all__ = ["Limit", "Source", "Split", "first_of_each", "occurrences"]
