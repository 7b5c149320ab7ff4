"""The written report: the same content in every format, whole, self-contained, deterministic, and free of torch."""

import csv
import html
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports import canvas, figures, plots, source
from reports.__main__ import main
from reports.formats import save
from reports.statistics import summarise
from sanity.errors import UserError


@pytest.fixture(scope="module")
def written(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    where = tmp_path_factory.mktemp("report")
    return reports.Report(frame, origin=reports.Origin("python -m sanity.run methods=grasp")).write(
        where, formats=reports.FORMATS, cells=True
    )


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_every_cell_is_in_every_format(frame: pd.DataFrame, written: dict[str, Path]) -> None:
    cells = frame.groupby(["method", "check", "ratio"]).ngroups
    with written["csv"].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == cells
    page = text_of(written["html"])
    tables = re.findall(r'<table id="cells(?:-unrun)?".*?</table>', page, re.DOTALL)
    assert [table.count('<th scope="row">') for table in tables] == [cells - 1, 1]  # one cell was never run
    for cell in summarise(frame).cells:
        number = (
            f"{cell.accuracy.mean:.2f} ± {cell.accuracy.std:.2f} ({cell.accuracy.n})" if cell.accuracy.n else "missing"
        )
        assert number in text_of(written["md"])
        assert number in page
        assert number.replace("±", r"$\pm$") in text_of(written["latex"])


def test_flaws_and_provenance_are_shown(written: dict[str, Path]) -> None:
    for name in ("html", "md"):
        text = html.unescape(text_of(written[name]))
        for needed in ("1 of 5 runs diverged (seed 2)", "5 of 5 runs missing",
                       "2 of 5 tickets with an empty layer: conv1",
                       "python -m sanity.run methods=grasp", "0123456789abcdef", "d" * 64, "torch 2.11.0", "fp32",
                       "1 diverged, 224 done, 5 missing", "Invented et al. 2020, Table 1"):  # fmt: skip
            assert needed in text, (name, needed)


def test_cells_whose_runs_all_failed_say_so(make_record: Callable[..., dict], tmp_path: Path) -> None:
    lost = {"status": "failed", "reason": "no memory", "last_test_accuracy": None, "best_test_accuracy": None}
    rows = [make_record("snip", check, 0.9, seed, 90.0) for check in ("none", "reinit") for seed in (0, 1)]
    rows = [row | lost if row["check"] == "reinit" else row for row in rows]
    files = reports.Report(pd.DataFrame(rows)).write(tmp_path, formats=("md", "csv"))
    (line,) = (one for one in text_of(files["md"]).splitlines() if "2 of 2 runs failed: no memory" in one)
    assert "| failed |" in line
    assert "no run is there" not in text_of(files["md"])
    with files["csv"].open(encoding="utf-8") as file:
        assert [(row["n"], row["failed"], row["missing"]) for row in csv.DictReader(file)] == [
            ("2", "0", "0"), ("0", "2", "0"),
        ]  # fmt: skip


def test_html_is_one_small_file_that_loads_nothing(written: dict[str, Path]) -> None:
    page = text_of(written["html"])
    loads = re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"']*)["']|url\(([^)]*)\)|@import""", page)
    targets = {a or b for a, b in loads}
    assert all(target.startswith(("#", "data:")) for target in targets), targets
    assert len(page.encode()) < 3e6


def test_tables_can_be_read_by_machine_and_by_ear(written: dict[str, Path]) -> None:
    page = text_of(written["html"])
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert len(tables) == 4
    assert all("<caption" in table and 'scope="col"' in table and 'scope="row"' in table for table in tables)
    labels = re.findall(r'<div role="img" aria-labelledby="([^"]*)"', page)
    assert len(labels) == page.count("<figure") > 0
    figures_ = [text for name in labels for text in re.findall(f'id="{re.escape(name)}">([^<]*)<', page)]
    assert len(figures_) == len(set(labels)) == len(labels)
    assert all(len(text) > 40 for text in figures_)


def test_markdown_links_exist_and_are_valid_svg_in_both_schemes(written: dict[str, Path]) -> None:
    names = re.findall(r"\]\((figures/[^)]*)\)", text_of(written["md"]))
    assert len(names) == len(set(names)) > 5
    for name in names:
        svg = text_of(written["md"].parent / name)
        ET.fromstring(svg)
        assert "prefers-color-scheme:dark" in svg
        assert "currentColor" in svg
        assert plots.INK not in svg


def test_markdown_tables_have_as_many_cells_in_each_row_as_in_their_head(written: dict[str, Path]) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", text_of(written["md"]), re.MULTILINE)
    assert len(blocks) == 4
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_the_same_records_give_the_same_bytes(frame: pd.DataFrame, written: dict[str, Path], tmp_path: Path) -> None:
    again = reports.Report(frame, origin=reports.Origin(command="python -m sanity.run methods=grasp")).write(
        tmp_path, formats=reports.FORMATS, cells=True
    )
    for name, path in again.items():
        assert path.read_bytes() == written[name].read_bytes()
    assert sorted(one.name for one in tmp_path.rglob("*")) == sorted(
        one.name for one in written["md"].parent.rglob("*")
    )


def test_a_name_cannot_inject_markup(make_record: Callable[..., dict], tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>|x"
    rows = [make_record(evil, check, 0.9, seed, 90.0 + seed) for check in ("none", evil) for seed in (0, 1)]
    files = reports.Report(pd.DataFrame(rows)).write(tmp_path)
    assert "<script>alert" not in text_of(files["html"])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "report.md", "old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(path, "new")
    assert text_of(path) == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.md"]


def test_a_large_grid_stays_below_three_megabytes(
    make_grid: Callable[..., pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first picture of a kind stands for all of that kind."""
    drawn: dict[str, str] = {}
    draw = canvas.svg

    def once(drawing: canvas.Drawing, name: str) -> str:
        kind = name.partition("-")[0]
        return drawn[kind] if kind in drawn else drawn.setdefault(kind, draw(drawing, name))

    monkeypatch.setattr(figures, "svg", once)
    methods = [f"method{i}" for i in range(8)]
    grids = [make_grid(methods=methods, seeds=2, dataset=dataset, model=model) for dataset in ("cifar10", "cifar100")
             for model in ("vgg19", "resnet32")]  # fmt: skip
    page = reports.Report(pd.concat(grids)).write(tmp_path, formats=["html"])["html"]
    assert page.stat().st_size < 3e6
    assert "Not drawn here: " in text_of(page)


def test_pictures_of_one_ratio_and_of_one_run(make_grid: Callable[..., pd.DataFrame]) -> None:
    sections = figures.draw(summarise(make_grid(ratios=[0.98], seeds=1, methods=["grasp"], checks=["none", "reinit"])))
    assert [section.kind for section in sections] == ["forest", "accuracy", "layers", "overlap"]
    assert all(len(section.pictures) == 1 for section in sections)


def test_methods_with_few_printed_numbers_share_one_picture(make_record: Callable[..., dict]) -> None:
    """And none is drawn of a single cell that stands beside the paper's number anyway."""
    paper = {"paper_mean": 91.0, "paper_std": float("nan"), "paper_n": 5, "paper_metric": "last", "paper_source": "T1"}
    methods = ("snip[examples=1]", "snip[examples=10]")
    rows = [make_record(name, "none", 0.9, seed, 90.0 + seed, **paper) for name in methods for seed in range(2)]
    sections = {section.kind: section.pictures for section in figures.draw(summarise(pd.DataFrame(rows)))}
    assert "accuracy" not in sections
    (picture,) = sections["paper"]
    assert "examples=1, 90 %" in picture.svg
    assert "examples=10, 90 %" in picture.svg


def test_pictures_draw_nothing_at_random(make_grid: Callable[..., pd.DataFrame]) -> None:
    summary = summarise(make_grid(ratios=[0.98], seeds=4, methods=["grasp"], checks=["none", "reinit"]))
    assert figures.draw(summary) == figures.draw(summary)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2)."""

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", plots.PALETTE)
def test_every_line_is_seen_on_both_grounds(colour: str) -> None:
    assert contrast(colour, "#fdfdfc") >= 3
    assert contrast(colour, "#15181b") >= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": ["htm"]}, "unknown format 'htm'. Did you mean 'html'"),
        ({"formats": ["md"], "figures": ["eps"]}, "unknown format of figures 'eps'"),
    ],
)
def test_mistakes_are_one_line(frame: pd.DataFrame, tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UserError) as caught:
        reports.Report(frame).write(tmp_path, **options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_named(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written to"):
        reports.Report(frame).write(tmp_path / "file" / "report", formats=["csv"])


@pytest.fixture
def store(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for the reader of a results folder, so that the command line is tested without a training."""
    monkeypatch.setattr(source, "load_records", lambda directory: frame)


@pytest.mark.usefixtures("store")
def test_command_line_writes_prints_and_names_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--format", "csv,md", "--margin", "1"]) == 0
    out = capsys.readouterr().out
    assert "A true difference of 1 point is called 'no effect' at most 5 times" in " ".join(out.split())
    lines = out.splitlines()
    place = lines.index("The report")
    assert lines[place + 1 : place + 3] == [f"  {tmp_path / name}" for name in ("report.csv", "report.md")]
    assert "What to do next" in lines[place:]
    assert "--margin 1" in text_of(tmp_path / "report.md")


@pytest.mark.usefixtures("store")
def test_command_line_sets_records_beside_a_published_table(
    frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "load_records", lambda directory: frame.assign(dataset="mnist"))
    assert main([str(tmp_path), "--format", "csv", "--reproduction", "lee2019_table1"]) == 0
    assert "98.30" in capsys.readouterr().out  # the paper's dense LeNet-300-100, of which there is no run here


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--reproduction", "lee2019_table9"],
        ["--format", "pdf"],
        ["--metric", "mean"],
        ["--margin", "0"],
        ["--margin", "x"],
        ["--margin", "nan"],
        ["--dataset", "digits"],
        ["--dataset", "digts", "--reproduction", "lee2019_table1"],
        ["--bogus"],
    ],
)
def test_command_line_mistakes_are_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main([str(tmp_path), *arguments]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line[:7] for line in captured.err.splitlines()] == ["error: "] * 2


def test_torch_is_never_imported(frame: pd.DataFrame, tmp_path: Path) -> None:
    few = frame[(frame["method"] == "grasp") & (frame["ratio"] == 0.98)]
    few.drop(columns=["layers", "versions", "curve", "collapsed"]).to_json(tmp_path / "frame.json")
    script = f"""
import sys, pandas, reports, reports.__main__
frame = pandas.read_json({str(tmp_path / "frame.json")!r})
report = reports.Report(frame)
report.write({str(tmp_path)!r}, formats=reports.FORMATS)
report.show()
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists()
