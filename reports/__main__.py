"""`python -m reports results/`: builds the report again from what is stored, without torch."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import reports
from sanity.cli.output import CannotPrint, printing, use_readable_output
from sanity.errors import UserError, complain
from sanity.store.files import DiskError


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see python -m reports --help")


def parser() -> Parser:
    """The command line of `python -m reports`."""
    made = Parser(prog="python -m reports", description=__doc__)
    made.add_argument("results", type=Path, help="the results folder that python -m sanity.run wrote")
    made.add_argument("--format", default="md,html", help=f"any of {','.join(reports.FORMATS)} (default: %(default)s)")
    made.add_argument("--output", type=Path, help="where the report goes (default: the results folder)")
    made.add_argument("--reproduction", default="", help="a published table to set the records beside")
    made.add_argument(
        "--dataset", help="where it was run on other data, which: as in sanity.run, e.g. cifar10:imagefolder"
    )
    made.add_argument("--title", default="", help="the report's heading")
    made.add_argument("--metric", default="last", help="last or best test accuracy (default: %(default)s)")
    made.add_argument("--margin", type=float, default=0.5, help="points that count as equal (default: %(default)s)")
    made.add_argument(
        "--pack", action="store_true", help="keep the records as records.jsonl, without weights: a run there goes on"
    )
    made.add_argument("--quiet", action="store_true", help="print the files' names only, not the table")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, writes the files, names them.

    Returns 0; 1 where standard output cannot be written; 2, with one line, for a mistake; 130 where it was stopped.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    use_readable_output()
    try:
        options = parser().parse_args(given)
        if not options.margin > 0:
            raise UserError(f"--margin={options.margin:g}: should be greater than 0")
        if options.dataset and not options.reproduction:
            raise UserError(f"--dataset={options.dataset}: stands for the data set of a table; add --reproduction")
        if not options.results.is_dir():
            raise UserError(f"results={options.results}: no such folder")
        from sanity.store.records import load_records

        frame = load_records(options.results)
        title = options.title
        output = options.output or options.results
        if options.reproduction:
            from reproductions.catalog import measured

            table = measured(options.reproduction, options.dataset, frame)
            frame, title = table.attach(frame), title or table.title
        files = reports.write(
            frame,
            output,
            command=shlex.join(["python", "-m", "reports", *given]),
            title=title,
            formats=[name.strip() for name in options.format.split(",")],
            metric=options.metric,
            margin=options.margin,
        )
        if options.pack:
            from sanity.store.records import pack

            files["records"] = pack(options.results, output)
        with printing():
            if not options.quiet:
                reports.show(frame, metric=options.metric, margin=options.margin)
            for path in files.values():
                print(path)
    except (UserError, DiskError) as error:
        complain(f"error: {error}")
        return 2
    except CannotPrint as error:
        complain(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        complain("stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
