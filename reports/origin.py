"""Says what made records and their report: the commands, and why no more seeds were spent."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Holds where records come from, as far as that is known.

    command: what makes this report; unless `trained_by` names the commands that trained the records, it is the one that
        gives exactly these records again.
    trained_by: the commands that trained the records, from which those for more seeds are made.
    spent: how many seeds were spent and why no more, where the results decided on them.
    """

    command: str = ""
    trained_by: Sequence[str] = ()
    spent: str = ""

    @property
    def commands(self) -> Sequence[str]:
        """What trained the records, or else what made the report of them."""
        return self.trained_by or [self.command]


UNKNOWN = Origin()
"""Of records that name no command."""
