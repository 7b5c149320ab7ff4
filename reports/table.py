"""A table of a report, before any format."""

import math
from dataclasses import dataclass

from reports.answer import Value
from reports.text import say
from reports.wording import p_value, points


@dataclass(frozen=True)
class Table:
    """A table that can be sorted, and filtered by the columns whose indices are in `filters`.

    folded: the heading of a table that a reader opens first; empty for one that is open.
    ids: what links to a row name it by, where anything does.
    unrun: the rows of which nothing was run, to be folded away below it.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Value, ...], ...]
    filters: tuple[int, ...]
    folded: str = ""
    ids: tuple[str, ...] = ()
    unrun: "Table | None" = None

    @property
    def heading(self) -> str:
        """What the table holds, in a few words."""
        return say(f"heading.{self.name}")

    @property
    def picture(self) -> str:
        """The kind of pictures that belong beside the table."""
        return "paper" if self.name == "papers" else ""

    def choices(self, column: int) -> list[str]:
        """The different texts of a column, in the order of the rows."""
        return [text for text in dict.fromkeys(row[column].text for row in self.rows) if text]


def accuracy_value(mean: float) -> Value:
    """A mean accuracy in percent; nothing where there is none."""
    return Value("" if math.isnan(mean) else points(mean), mean)


def p_of(value: float) -> Value:
    """A p value; nothing where no test was possible."""
    return Value("" if math.isnan(value) else p_value(value), value)
