"""LaTeX for a paper: it compiles where there is a TeX, and is balanced; every comparison stands in it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports.statistics import summarise

DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,longtable,siunitx,graphicx}
\begin{document}
\input{report.tex}
\end{document}
"""


def written(frame: pd.DataFrame, folder: Path, cells: bool = False) -> str:
    return reports.Report(frame).write(folder, formats=["latex"], cells=cells)["latex"].read_text(encoding="utf-8")


def bare(text: str) -> str:
    return re.sub(r"\\\\|\\[{}%&$#_]", "", text)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no TeX on this machine: pdflatex is missing")
@pytest.mark.parametrize("cells", [False, True])
def test_it_compiles(frame: pd.DataFrame, tmp_path: Path, cells: bool) -> None:
    written(frame, tmp_path, cells)
    (tmp_path / "main.tex").write_text(DOCUMENT)
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:]


@pytest.mark.parametrize("cells", [False, True])
def test_it_is_balanced(frame: pd.DataFrame, tmp_path: Path, cells: bool) -> None:
    text = written(frame, tmp_path, cells)
    plain = bare(text)
    depth = 0
    for sign in plain:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    assert plain.count("$") % 2 == 0
    assert text.isascii() or cells
    begun, ended = (re.findall(rf"\\{word}\{{(\w+)\}}", text) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended)


def columns(spec: str) -> int:
    return len(re.findall(r"[lrcS]", re.sub(r"\[[^\]]*\]", "", spec)))


def test_every_row_has_as_many_places_as_there_are_columns(frame: pd.DataFrame, tmp_path: Path) -> None:
    text = written(frame, tmp_path)
    tables = re.findall(r"\\begin\{tabular\}\{([^\n]*)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(tables) == 2
    for spec, body in tables:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {bare(row).count("&") + 1 for row in rows} == {columns(spec)}


def test_every_comparison_is_a_row_of_claims(frame: pd.DataFrame, tmp_path: Path) -> None:
    text = written(frame, tmp_path)
    claims = text[text.index("tab:claims") :]
    compared = [cell for cell in summarise(frame).cells if cell.comparison]
    assert sum(line.endswith(r"\\") for line in claims.splitlines()) == len(compared) + 1
    for cell in compared:
        assert cell.comparison is not None
        if cell.comparison.difference.n:
            assert f" {cell.comparison.low:.2f} & " in claims or cell.comparison.verdict == "identical"
    assert r"\caption{synthetic, tiny, short: last test accuracy" in text
    assert "S[table-format=+3.2]" in claims


def test_many_ratios_break_over_pages_and_settings_have_own_labels(
    make_grid: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    ratios = [0.5 + 0.02 * number for number in range(12)]
    small = make_grid(ratios=ratios, seeds=2, methods=["grasp"])
    both = pd.concat([small, small.assign(model="other")], ignore_index=True)
    text = written(both, tmp_path)
    assert r"\begin{longtable}" in text
    for label in ("tab:verdicts-1", "tab:verdicts-2", "tab:claims-1", "tab:claims-2"):
        assert text.count(rf"\label{{{label}}}") == 1


def test_without_a_check_the_cells_are_written(make_grid: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    assert r"\label{tab:cells}" in written(make_grid(checks=["none"], seeds=2), tmp_path)
