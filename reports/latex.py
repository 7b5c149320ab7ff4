r"""Writes report.tex: the verdicts as a matrix and the comparisons as a table of claims, to be \input in a paper."""

import math
from collections.abc import Sequence

from reports.content import Content
from reports.escape import latex
from reports.records import CONTROL
from reports.statistics import Cell, Summary
from reports.table import Table
from reports.text import say
from reports.wording import SYMBOLS, check_name, method_name, percent, trimmed, verdict_name

PREAMBLE = "% Needs \\usepackage{booktabs,graphicx,longtable,siunitx}.\n"
LONGEST = 40  # rows of a table that floats; a longer one breaks over pages
Setting = tuple[str, str, str]


def document(content: Content, cells: bool = False) -> str:
    """The file's text. cells: with the report's own tables of every cell besides, as longtables."""
    summary = content.summary
    settings = summary.names("setting")
    parts = [PREAMBLE]
    for number, setting in enumerate(settings, 1):
        suffix = f"-{number}" if len(settings) > 1 else ""
        compared = [cell for cell in summary.select(setting=setting) if cell.comparison]
        if compared:
            parts += [_matrix(setting, compared, summary, suffix), _claims(setting, compared, summary, suffix)]
    if cells or len(parts) == 1:
        parts += [_longtable(one) for table in content.tables for one in (table, table.unrun) if one]
    return "\n".join(parts)


def _matrix(setting: Setting, cells: Sequence[Cell], summary: Summary, suffix: str) -> str:
    """A row for each method and ratio, a column for each check, the verdict's sign in each."""
    checks = summary.names("check", cells)
    by_place = {(cell.method, cell.ratio, cell.check): cell for cell in cells}
    rows = [
        [
            latex(method_name(method)),
            latex(percent(ratio)),
            *(_sign(by_place.get((method, ratio, check))) for check in checks),
        ]
        for method, ratio in dict.fromkeys((cell.method, cell.ratio) for cell in cells)
    ]
    present = dict.fromkeys(cell.comparison.verdict for cell in cells if cell.comparison)
    key = ", ".join(f"{latex(SYMBOLS[verdict])} {latex(verdict_name(verdict))}" for verdict in present)
    caption = f"{latex(say('latex.matrix', setting=', '.join(setting), margin=trimmed(summary.margin)))} {key}."
    heads = ["method", "removed", *(f"\\rotatebox{{60}}{{{latex(check)}}}" for check in checks)]
    return _table(f"tab:verdicts{suffix}", caption, "lr" + "c" * len(checks), heads, rows)


def _sign(cell: Cell | None) -> str:
    return latex(SYMBOLS[cell.comparison.verdict]) if cell and cell.comparison else "--"


def _claims(setting: Setting, cells: Sequence[Cell], summary: Summary, suffix: str) -> str:
    """A row for each comparison: accuracy of the unperturbed and the perturbed ticket, difference, interval, p."""
    controls = {(cell.method, cell.ratio): cell for cell in summary.select(setting=setting, check=CONTROL)}
    rows = []
    for cell in cells:
        comparison, control = cell.compared, controls.get((cell.method, cell.ratio))
        rows.append(
            [
                latex(method_name(cell.method)),
                latex(percent(cell.ratio)),
                latex(check_name(cell.check)),
                str(comparison.difference.n),
                _number(control.accuracy.mean if control else math.nan),
                _number(cell.accuracy.mean),
                _number(comparison.difference.mean),
                _number(comparison.low),
                _number(comparison.high),
                _p(comparison.p_holm),
                _p(comparison.p_equivalent),
                latex(f"{SYMBOLS[comparison.verdict]} {verdict_name(comparison.verdict)}"),
            ]
        )
    texts = {"metric": summary.metric, "margin": trimmed(summary.margin), "alpha": f"{summary.alpha:g}"}
    caption = latex(say("latex.claims", setting=", ".join(setting), design=summary.design, **texts))
    heads = ["method", "removed", "check", "{$n$}", "{ticket}", "{checked}", "{difference}", "{low}", "{high}",
             "{$p$}", "{$p_\\mathrm{eq}$}", "verdict"]  # fmt: skip
    columns = "lrl" + _S(2, 0) + _S(3, 2) * 2 + _S(3, 2, "+") * 3 + _S(1, 4) * 2 + "l"
    return _table(f"tab:claims{suffix}", caption, columns, heads, rows)


def _S(before: int, after: int, sign: str = "") -> str:  # noqa: N802 (siunitx's letter)
    return f"S[table-format={sign}{before}.{after}]" if after else f"S[table-format={before}]"


def _number(value: float, digits: int = 2) -> str:
    """A number for a column of siunitx, which aligns and signs it; braces keep an empty place out of its parser."""
    return "{--}" if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"  # no -0.00


def _p(value: float) -> str:
    return "{$<$0.0001}" if value < 0.0001 else _number(value, 4)


def _table(label: str, caption: str, columns: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = "".join(f"{' & '.join(row)} \\\\\n" for row in rows)
    head = f"\\toprule\n{' & '.join(heads)} \\\\\n\\midrule\n"
    if len(rows) > LONGEST:
        return (
            f"\\begin{{longtable}}{{{columns}}}\n\\caption{{{caption}}}\\label{{{label}}}\\\\\n{head}\\endhead\n"
            f"\\bottomrule\n\\endfoot\n{body}\\end{{longtable}}\n"
        )
    return (
        f"\\begin{{table}}\n\\centering\\small\n\\caption{{{caption}}}\\label{{{label}}}\n"
        f"\\begin{{tabular}}{{{columns}}}\n{head}{body}\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def _longtable(table: Table) -> str:
    rows = "\n".join(" & ".join(latex(value.full) for value in row) + r" \\" for row in table.rows)
    heads = " & ".join(map(latex, table.columns))
    columns = "".join("r" if numeric else "l" for numeric in table.numeric)
    return (
        f"\\begin{{longtable}}{{{columns}}}\n\\caption{{{latex(table.caption)}}}\\label{{tab:{table.name}}}\\\\\n"
        f"\\toprule\n{heads} \\\\\n\\midrule\n\\endhead\n{rows}\n\\bottomrule\n\\end{{longtable}}\n"
    )
