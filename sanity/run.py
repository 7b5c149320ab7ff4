"""Runs a grid from the command line (`python -m sanity.run`), prints its table and writes its report."""

import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanity.cli.request import Request, requested
from sanity.config import AUTO, RunConfig, pairs
from sanity.console.allocator import keep_memory
from sanity.console.ending import leave
from sanity.console.output import CannotPrint, printing, use_readable_output
from sanity.console.shadows import refuse_shadows
from sanity.errors import DiskError, Interrupted, UserError, complain
from sanity.store import commands, looks
from sanity.store.identity import identity
from sanity.store.records import traceback_of

if TYPE_CHECKING:
    import pandas as pd

    from sanity.grid.cells import Cell
    from sanity.grid.experiment import Experiment

MISTAKE, FAILED, INTERRUPTED = 2, 1, 130
Rows = tuple[list[dict[str, Any]], str]
PAGES = {"--version", "-h", "--help", "help", "reproductions=list", "references=list"}
"""Words with which nothing is run, but a page of `sanity.cli.help` printed."""


def run(config: RunConfig | Mapping[str, Any], stop: Callable[[], bool] = lambda: False) -> "pd.DataFrame":
    """Runs a grid and returns its records, one row per cell (columns: see `sanity.store`). Stored results are reused.

    config: the run's keys, as `RunConfig` or as a mapping such as {"methods": "snip,grasp", "ratio": 0.98}. With
        {"reproduction": NAME} it runs a published table: the columns paper_* hold the printed numbers, and cells
        without a run have rows too.
    stop: called between steps; once it returns true, the run saves its state and raises `sanity.errors.Interrupted`.

    Raises `UserError` for a mistake in the configuration, before anything is trained.
    """
    request = requested(config)
    import pandas as pd  # not for pages of help and mistakes

    return request.report(pd.DataFrame(_rows(request, stop, lambda: None)[0]))


def prepare(config: RunConfig, together: Sequence[RunConfig] = ()) -> "tuple[Experiment, list[Cell]]":
    """Prepares the experiment and cells of a run (`sanity.grid.preparation`). Raises `UserError` for every mistake.

    together: all runs of the request; a dense network that several of them start from is trained once.
    """
    from sanity.grid import preparation  # which imports torch

    return preparation.prepare(config, together)


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Context manager: Ctrl-C or SIGTERM stops the run at the next step, a second Ctrl-C stops it at once."""
    signals: list[int] = []

    def note(number: int, _frame: object) -> None:
        if signals and number == signal.SIGINT:
            raise KeyboardInterrupt
        signals.append(number)
        print("stopping after the step or search at hand; Ctrl-C again stops at once", file=sys.stderr)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Returns 0; 1 where a cell failed or standard output cannot be written; 2, with one line, for a mistake; 130 where it
    was stopped.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    use_readable_output()
    try:
        refuse_shadows()
        if not words or PAGES & set(words):
            return _print_page(words)
        return _execute(requested(pairs(words)), words)
    except UserError as error:
        complain(f"error: {error}")
        return MISTAKE
    except DiskError as error:
        complain(f"error: {error}; what was finished is kept, and the same command goes on from there")
        return MISTAKE
    except CannotPrint as error:
        complain(f"error: {error}; what was finished is kept, and the same command prints it")
        return FAILED
    except KeyboardInterrupt:
        complain("stopped; the same command goes on from the last checkpoint")
        return INTERRUPTED


def _print_page(words: Sequence[str]) -> int:
    """Prints what the words ask for where nothing is to be run."""
    from sanity.cli import help as pages  # after `refuse_shadows`
    from sanity.console.pages import print_page  # after `refuse_shadows`

    print_page(pages.page(words))
    return 0


def _recalled(request: Request, stop: Callable[[], bool], begins: Callable[[], None]) -> Rows:
    """Returns the same as `_rows`; of a request that has finished before, without preparing it again."""
    from sanity.grid import finished  # after `refuse_shadows`

    asked = finished.Request(request.configs)
    if (earlier := asked.recall()) is not None:
        return earlier
    keep_memory()
    rows, spent = _rows(request, stop, begins)
    asked.remember(rows, spent)
    return rows, spent


def _rows(request: Request, stop: Callable[[], bool], begins: Callable[[], None]) -> Rows:
    """Runs the request. Returns its records and, where the results decided on the seeds, how they were spent.

    begins: called before records are made; not where all are stored.
    """
    if request.configs[0].seeds != AUTO:
        from sanity.grid.execution import rows_of_grids  # which imports torch

        return rows_of_grids(request.configs, stop, begins), ""
    from reports.seeds_spent import ended, judge  # after `refuse_shadows`
    from sanity.grid.rounds import Rounds

    rounds = Rounds(request.configs, judge(request.configs[0]), stop, begins)
    rounds.run()
    return rounds.ordered(), ended(rounds.outlook(), request.configs[0])


def _execute(request: Request, words: Sequence[str]) -> int:
    if request.configs[0].dry_run:
        from reports.seeds_spent import forecast, judge  # after `refuse_shadows`
        from sanity.cli.dry_run import planned

        text = planned(request, judge, forecast)
        with printing():
            print(text)
        return 0
    if request.configs[0].report_dir:
        _writable("report_dir", Path(request.configs[0].report_dir))
    command = shlex.join(["python", "-m", "sanity.run", *words])
    try:
        with stopping() as stop:
            rows, spent = _recalled(request, stop, partial(commands.remember, request.configs[0].results_dir, command))
    except Interrupted:
        raise KeyboardInterrupt from None
    return _report(request, rows, command, spent)


def _writable(key: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{key}={folder}: cannot be written ({error.strerror or error})") from None


def _report(request: Request, rows: "list[dict[str, Any]]", command: str, spent: str) -> int:
    import pandas as pd  # not for pages of help and mistakes

    from reports import Analysis, Origin, Report  # after `refuse_shadows`
    from reports.margin import margin_of

    config, frame = request.configs[0], pd.DataFrame(rows)
    seen = frame if spent else looks.with_earlier(frame, config.results_dir)
    looks.remember(frame, config.results_dir)
    margin = margin_of(frame) if isinstance(config.margin, str) else config.margin
    analysis = Analysis(config.metric, margin, design=config.design, compare=config.compare)
    of = identity({"cells": sorted(frame["cell"]), "metric": config.metric, "margin": margin, **analysis.changed()})[:8]
    folder = Path(config.report_dir or Path(config.results_dir) / "reports" / f"{request.name}-{of}")
    whole, shown = request.report(seen), request.shown(seen)
    report = Report(whole, analysis, request.neighbours(), request.title, Origin(command, spent=spent))
    files = report.write(folder)
    printed = report if shown is whole else replace(report, records=shown)
    with printing():
        printed.show(notes=[*filter(None, [spent]), *request.notes(frame)], files=[*files.values()])
    return _failures(frame, Path(config.results_dir))


def _failures(frame: "pd.DataFrame", results: Path) -> int:
    """Names the failed cells of a run and returns its exit code."""
    failed = frame[frame["status"] == "failed"]
    if not len(failed):
        return 0
    for (method, reason), alike in failed.groupby(["method", "reason"], sort=False):
        first = alike.iloc[0]
        where = traceback_of(results, first["cell"])
        which = f"{method} {first['check']} ratio {first['ratio']} seed {first['seed']}"
        more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        complain(f"failed: {which}{more}: {reason}" + (f" (traceback: {where})" if where.exists() else ""))
    complain(f"{len(failed)} of {len(frame)} cells failed; the same command tries them again")
    return FAILED


if __name__ == "__main__":
    leave(main())
