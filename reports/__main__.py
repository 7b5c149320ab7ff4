"""`python -m reports results/`: builds the report again from what is stored, without torch. `--reference NAME` alone
builds that of a reference set; with a results folder it places the methods in there among those of the set."""

import argparse
import gc
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from reports import FORMATS, PICTURES, Analysis, Origin, Report
from sanity.console.ending import leave
from sanity.console.output import CannotPrint, printing, use_readable_output
from sanity.console.shadows import refuse_shadows
from sanity.errors import CannotWrite, DiskError, UserError, complain
from sanity.store import commands, repeats
from sanity.store.records import pack

if TYPE_CHECKING:
    from reports.expectations import Expectation
    from reports.statistics import Summary

FAILED, MISTAKE, INTERRUPTED = 1, 2, 130


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see python -m reports --help")

    def print_help(self, file: object = None) -> None:
        """Prints the help; argparse itself would say nothing where it cannot. Raises `CannotPrint`."""
        with printing():
            print(self.format_help(), end="")


def parser() -> Parser:
    """The command line of `python -m reports`."""
    line = Parser(prog="python -m reports", description=__doc__)
    line.add_argument("results", type=Path, nargs="?", help="the results folder that python -m sanity.run wrote")
    line.add_argument("--format", default="md,html", help=f"any of {','.join(FORMATS)} (default: %(default)s)")
    line.add_argument("--cells", action="store_true", help="LaTeX with the tables of every cell, not the claims alone")
    line.add_argument("--figures", default="", help=f"write the pictures to figures/ as any of {','.join(PICTURES)}")
    line.add_argument(
        "--expect", type=Path, metavar="FILE", help="TOML of expected verdicts; exit code 1 where one is another"
    )
    line.add_argument("--output", type=Path, help="where the report goes (default: the results folder)")
    line.add_argument(
        "--reference", default="", metavar="NAME", help="a reference set to place the methods in, or to report on"
    )
    line.add_argument("--reproduction", default="", help="a published table to set the records beside")
    line.add_argument(
        "--dataset", help="where it was run on other data, which: as in sanity.run, e.g. cifar10:imagefolder"
    )
    line.add_argument("--title", default="", help="the report's heading")
    line.add_argument("--metric", default="last", help="last or best test accuracy (default: %(default)s)")
    line.add_argument("--margin", type=float, help="points that count as equal (default: as margin=auto in sanity.run)")
    line.add_argument("--design", default="fixed", help="fixed or sequential, as in sanity.run (default: %(default)s)")
    line.add_argument(
        "--compare",
        default="methods",
        help="methods: each with random and magnitude, where these are there; none (default: %(default)s)",
    )
    line.add_argument(
        "--pack", action="store_true", help="keep the records as records.jsonl, without weights: a run there goes on"
    )
    line.add_argument(
        "--verify", type=int, default=0, metavar="N", help="train N of the recorded runs again and compare; needs torch"
    )
    line.add_argument("--data-dir", default="data", help="where data sets are, for --verify (default: %(default)s)")
    line.add_argument("--quiet", action="store_true", help="print the files' names only, not the table")
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, writes the files, names them.

    Returns 0; 1 where a verdict is not as expected, a run that was trained again does not agree, or standard output
    cannot be written; 2, with one line, for a mistake; 130 where it was stopped.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    use_readable_output()
    try:
        refuse_shadows()
        agree = _report(parser().parse_args(words), shlex.join(["python", "-m", "reports", *words]))
    except (UserError, DiskError) as error:
        complain(f"error: {error}")
        return MISTAKE
    except CannotPrint as error:
        complain(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        complain("stopped")
        return INTERRUPTED
    return 0 if agree else FAILED


def _report(options: argparse.Namespace, command: str) -> bool:
    """Writes the report that the options ask for, prints its table and names the files.

    Returns whether the runs that were trained again agree with their records.
    """
    from reports.expectations import read  # after `refuse_shadows`; they import pandas
    from reports.margin import margin_of
    from reports.source import read_source

    _check(options)
    source = read_source(options)
    frame, output = source.frame, options.output or source.output
    formats = [name.strip() for name in options.format.split(",")]
    options.margin = margin_of(frame) if options.margin is None else options.margin
    analysis = Analysis(options.metric, options.margin, design=options.design, compare=options.compare)
    expected = read(options.expect) if options.expect else []
    figures = [name.strip() for name in options.figures.split(",") if name.strip()]
    origin = Origin(command, commands.commands(source.folder))
    report = Report(frame, analysis, source.beside, options.title or source.title, origin)
    summary = report.summary  # first: records that cannot be used are a line before anything is trained
    agree = not options.verify or _verified(report, source.folder, options)
    if options.verify:
        report = replace(report, records=repeats.with_repeats(frame, source.folder))
    files = report.write(output, formats, figures=figures, cells=options.cells)
    if options.pack:
        files["records"] = pack(source.folder, output)
        commands.carry(source.folder, output)
        repeats.carry(source.folder, output)
    with printing():
        if options.quiet:
            print(*files.values(), sep="\n")
        else:
            report.show(files=[*files.values()])
    return all([_as_expected(summary, expected), agree])


def _as_expected(summary: "Summary", expected: "Sequence[Expectation]") -> bool:
    """Prints which verdicts are not as expected and returns whether all are."""
    if not expected:
        return True
    from reports.expectations import told, unmet  # which imports pandas

    missed = unmet(expected, summary)
    with printing():
        print(told(expected, missed))
    return not missed


def _verified(report: Report, folder: Path, options: argparse.Namespace) -> bool:
    """Trains as many runs again as `--verify` says, prints how each compares, and returns whether all agree.

    What came out is kept beside the records; where these cannot be written, that is said.
    """
    from reports.verify import choose, compared, train_again  # which imports pandas

    verifications = []
    for record in choose(report.records, options.verify):
        repeat = train_again(record, options.data_dir)
        verifications.append(compared(record, repeat, options.metric))
        with printing():
            print(verifications[-1].text(options.margin))
        try:
            repeats.remember(repeat, folder)
        except CannotWrite as error:
            complain(f"note: not kept with the records: {error}")
    return all(verification.agrees(options.margin) for verification in verifications)


def _check(options: argparse.Namespace) -> None:
    """Raises `UserError` for options that cannot be meant."""
    if options.margin is not None and not 0 < options.margin <= 100:
        raise UserError(f"--margin={options.margin:g}: should be greater than 0 and at most 100 points")
    if options.verify < 0:
        raise UserError(f"--verify={options.verify}: should be a number of runs")
    if options.dataset and not options.reproduction:
        raise UserError(f"--dataset={options.dataset}: stands for the data set of a table; add --reproduction")
    if options.reference and options.reproduction:
        raise UserError(f"--reference={options.reference}: goes with no --reproduction; leave one of them out")
    if options.results is None and not options.reference:
        raise UserError("results: name a results folder, or a set with --reference NAME; see python -m reports --help")
    try:
        if options.results is not None and not options.results.is_dir():
            raise UserError(f"results={options.results}: no such folder")
    except OSError as error:
        raise UserError(f"results={options.results}: {error.strerror or error}") from None


if __name__ == "__main__":
    gc.disable()  # almost all that a report makes stays until its end: to look for cycles takes 0.4 of its 3.3 s
    leave(main())
