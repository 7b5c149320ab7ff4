"""Runs the command line of a benchmark: its help, its options, the measurement, the table and the JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from rich.console import RenderableType

from sanity.bench.busyness import Watch
from sanity.bench.output import show, with_file, write
from sanity.config import pairs
from sanity.config.options import fill, texts
from sanity.console.allocator import keep_memory
from sanity.console.ending import exit_code
from sanity.console.pages import print_page
from sanity.errors import UserError


class Asked(Protocol):
    """The options of a benchmark, a dataclass whose docstring has a line for each."""

    @property
    def device(self) -> str: ...
    @property
    def json(self) -> str: ...


class Row(Protocol):
    """A measured row, a dataclass. spread: half of the range of its repeats as a share of their middle."""

    @property
    def spread(self) -> float: ...


A = TypeVar("A", bound=Asked)
R = TypeVar("R", bound=Row)
Work = tuple[Callable[[A], list[R]], Callable[[A, list[R]], RenderableType]]
"""What measures, and what makes a table of the rows measured."""


@dataclass(frozen=True)
class Benchmark(Generic[A, R]):
    """A benchmark that `key=value` words ask for.

    usage: the first lines of the help. options: the class of the options. owner: what stands before their names in an
    error. work: imports what measures, and torch with it; the help and mistakes do without. rows: what JSON calls what
    was measured. code: the exit code of that.
    """

    usage: Sequence[str]
    options: type[A]
    work: Callable[[], Work[A, R]]
    owner: str = ""
    rows: str = "figures"
    code: Callable[[list[R]], int] = lambda rows: 0

    def run(self, words: Sequence[str]) -> int:
        """Runs the command line.

        Returns `code`; 2, with one line, for a mistake; 1 where standard output or the JSON cannot be written.
        """
        return exit_code(lambda: self._run(words))

    def _run(self, words: Sequence[str]) -> int:
        if any(word in ("-h", "--help", "help") for word in words):
            lines = [
                f"  {name:10} {text} [{getattr(self.options, name)}]" for name, text in texts(self.options).items()
            ]
            print_page("\n".join([*self.usage, "", *lines]))
            return 0
        asked = fill(self.options, pairs(with_file(words)), self.owner)
        _check_place(asked.json)
        keep_memory()
        measure, table = self.work()
        with Watch() as watch:
            rows = measure(asked)
        busyness = watch.seen(max((row.spread for row in rows), default=0.0))
        show(table(asked, rows), busyness.text())
        if asked.json:
            from sanity.bench.machine import circumstances  # which imports torch

            measured = [asdict(row) for row in rows]  # type: ignore[call-overload]  # rows are dataclasses
            write(asked.json, {**circumstances(asked, asked.device, busyness), self.rows: measured})
        return self.code(rows)


def _check_place(json: str) -> None:
    """Raises `UserError` where the JSON could not be written, before anything is measured."""
    folder = Path(json).absolute().parent
    if json and not folder.is_dir():
        raise UserError(f"json={json}: there is no folder {folder}")
    if json and Path(json).is_dir():
        raise UserError(f"json={json}: is a folder; name a file in it")
