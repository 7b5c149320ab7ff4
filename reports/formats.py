"""Writes a report's content as files, each whole or not at all, byte for byte the same for the same records."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import decomposition, escape, figures
from reports.comparisons import Comparison
from reports.content import Content, Table
from reports.methods_compared import MethodComparison
from reports.references import could_not_fail
from reports.statistics import Cell, Summary
from reports.text import say
from reports.wording import SYMBOLS, check_name, verdict_name
from sanity.store.files import write_atomically

FIGURES = "figures"  # the folder beside report.md that holds its pictures


def markdown(content: Content, directory: Path) -> Path:
    """report.md, and its pictures as SVG files in `figures/` beside it."""
    for section in content.sections:
        for picture in section.pictures:
            save(directory / FIGURES / f"{picture.name}.svg", figures.standalone(picture))
    text = _environment(autoescape=False).get_template("report.md.j2").render(content=content, folder=FIGURES)
    return save(directory / "report.md", re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


def html(content: Content, directory: Path) -> Path:
    """report.html: one file with its style, script and pictures inside, which loads nothing from anywhere."""
    environment = _environment(autoescape=True)
    inline = {name: Markup(_source(environment, f"report.{name}")) for name in ("css", "js")}
    pictures = {picture.name: Markup(picture.svg) for section in content.sections for picture in section.pictures}
    page = environment.get_template("report.html.j2").render(content=content, pictures=pictures, **inline)
    return save(directory / "report.html", re.sub(r"\n\s*\n+", "\n", page))


def csv(content: Content, directory: Path) -> Path:
    """report.csv: a row a cell, with every number of the comparison and of the paper.

    decomposition.csv, where there is one: a row a level. methods_compared.csv, where there are: a row for each method,
    reference and ratio.
    """
    rows = [
        {name: escape.csv(value) for name, value in flat(cell, content.summary).items()}
        for cell in content.summary.cells
    ]
    if levels := decomposition.rows(content.summary):
        table = pd.DataFrame([{name: escape.csv(value) for name, value in row.items()} for row in levels])
        save(directory / "decomposition.csv", table.to_csv(index=False, lineterminator="\n"))
    if methods := [against(one) for one in content.summary.methods]:
        table = pd.DataFrame([{name: escape.csv(value) for name, value in row.items()} for row in methods])
        save(directory / "methods_compared.csv", table.to_csv(index=False, lineterminator="\n"))
    frame = pd.DataFrame(rows)
    return save(directory / "report.csv", frame.to_csv(index=False, lineterminator="\n"))


def latex(content: Content, directory: Path) -> Path:
    r"""report.tex: the tables as longtable with booktabs' rules, to be \input."""
    text = "% Needs \\usepackage{booktabs,longtable}.\n" + "\n".join(map(_longtable, content.tables))
    return save(directory / "report.tex", text)


FORMATS: Mapping[str, Callable[[Content, Path], Path]] = {"md": markdown, "html": html, "csv": csv, "latex": latex}


def flat(cell: Cell, summary: Summary) -> dict[str, object]:
    """A cell as one row of numbers without formatting; what it does not have stays empty."""
    comparison, paper = cell.comparison, cell.paper
    row: dict[str, object] = {name: getattr(cell, name) for name in ("dataset", "model", "recipe", "method", "check")}
    row |= {"ratio": cell.ratio, "n": cell.accuracy.n, "missing": cell.missing, "failed": sum(cell.failed.values())}
    row |= {"diverged": len(cell.diverged), "collapsed": cell.collapsed_runs}
    row |= {"mean": cell.accuracy.mean, "std": cell.accuracy.std}
    row |= {name: getattr(cell, name) for name in ("kept", "prunable", "actual_ratio", "effective_density")}
    outcomes = cell.outcomes
    row |= {"start_accuracy": outcomes.start, "pruned_accuracy": outcomes.pruned}
    row |= {"barrier_orders": outcomes.barrier_orders, "barrier_control": outcomes.barrier_control}
    row |= {"round_accuracies": " ".join(f"{accuracy:g}" for accuracy in outcomes.rounds)}
    row |= {"predicted": cell.predicted, "function_gap": cell.function_gap}
    row |= {"mask_overlap": cell.overlap, "expected_overlap": cell.expected_overlap}
    row |= {
        **_numbers(comparison),
        "could_not_fail": could_not_fail(cell, summary),
        "paper_mean": paper and paper.mean,
        "paper_std": paper and paper.std,
        "paper_n": paper and paper.n,
        "paper_metric": paper and paper.metric,
        "compared_metric": paper and paper.compared,
        "delta": paper and paper.delta,
        "delta_half_interval": paper and paper.half,
        "delta_errors": paper and paper.errors,
        "inside": paper and paper.inside,
        "paper_source": paper and paper.source,
    }
    return row


def against(one: MethodComparison) -> dict[str, object]:
    """A method against a reference at one ratio, as one row of numbers."""
    row: dict[str, object] = dict(zip(("dataset", "model", "recipe"), one.setting, strict=True))
    row |= {"method": one.method, "reference": one.reference, "ratio": one.ratio, "n": one.accuracy.n}
    row |= {"mean": one.accuracy.mean, "std": one.accuracy.std}
    row |= {"reference_mean": one.other.mean, "reference_std": one.other.std}
    return row | _numbers(one.comparison) | {"outcome": one.outcome}


def _numbers(comparison: Comparison | None) -> dict[str, object]:
    """The numbers of a comparison; all empty where there is none."""
    return {
        "difference": comparison and comparison.difference.mean,
        "difference_std": comparison and comparison.difference.std,
        "difference_low": comparison and comparison.low,
        "difference_high": comparison and comparison.high,
        "difference_confidence": comparison and comparison.confidence,
        "smallest_excluded": comparison and comparison.excluded,
        "pairs": comparison and comparison.difference.n,
        "p_different": comparison and comparison.p_different,
        "p_holm": comparison and comparison.p_holm,
        "tests_in_claim": comparison and comparison.family,
        "p_equivalent": comparison and comparison.p_equivalent,
        "p_within_two_margins": comparison and comparison.p_small,
        "p_runs_apart": comparison and comparison.p_apart,
        "verdict": comparison and comparison.verdict,
        "verdict_by_numbers": comparison and (comparison.found or comparison.verdict),
        "why": comparison and (comparison.obstacle or comparison.manner),
        "seeds_needed": comparison and comparison.seeds_needed,
    }


def save(path: Path, text: str) -> Path:
    """Write `text` to `path` at once: a reader sees the old file or the new one, never half of one."""
    write_atomically(path, text)
    return path


def _environment(autoescape: bool) -> Environment:
    environment = Environment(loader=PackageLoader("reports"), autoescape=autoescape, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"md": escape.markdown, "row": _row, "check_name": check_name}
    environment.globals |= {"symbols": SYMBOLS, "say": say, "verdict_name": verdict_name}
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _row(values: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape.markdown, values)) + " |"


def _longtable(table: Table) -> str:
    rows = "\n".join(" & ".join(escape.latex(value.full) for value in row) + r" \\" for row in table.rows)
    heads = " & ".join(map(escape.latex, table.columns))
    columns = "".join("r" if numeric else "l" for numeric in table.numeric)
    return (
        f"\\begin{{longtable}}{{{columns}}}\n\\caption{{{escape.latex(table.caption)}}}\\\\\n"
        f"\\toprule\n{heads} \\\\\n\\midrule\n\\endhead\n{rows}\n\\bottomrule\n\\end{{longtable}}\n"
    )
