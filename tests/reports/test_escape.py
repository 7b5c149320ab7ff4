"""Names out of strangers' records: shown as text in every format, and no record ends a report in a traceback."""

import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reports
from reports import escape, figures
from reports.analysis import Analysis
from reports.overview import notes
from reports.statistics import summarise
from sanity.errors import UserError

Record = Callable[..., dict]
HOSTILE = [
    "[/foo]",
    r"$\frac$",
    "\ud800",
    "a\x1b[31mb",
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "x\n# injected",
    '=HYPERLINK("http://example.com")',
    "\u202egnp.exe",
    "_x_ *y* `z` | ~~w~~",
]


def runs(make: Record, **values: Any) -> list[dict]:
    rows = [make("snip", check, 0.9, seed, 90.0 + seed / 10) for check in ("none", "reinit") for seed in range(2)]
    return [row | values for row in rows]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_is_text_in_every_format(make_record: Record, tmp_path: Path, text: str) -> None:
    names = dict.fromkeys(("dataset", "model", "recipe", "method", "overrides", "commit", "device", "precision"), text)
    structures = {"collapsed": [text], "versions": {text: text}, "layers": {text: {"weights": 9, "kept": 3}}}
    rows = runs(make_record, **names, **structures)
    for row in rows[2:]:
        row["check"] = text
    rows.append(rows[3] | {"seed": 2, "status": "failed", "reason": text})
    frame = pd.DataFrame(rows)
    files = reports.Report(frame, title=text, origin=reports.Origin(command=f"python {text}")).write(
        tmp_path, formats=reports.FORMATS
    )
    shown = io.StringIO()
    reports.Report(frame).show(shown)
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    for name, written in [*texts.items(), ("terminal", shown.getvalue())]:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e\ud800-\udfff]", written), name
    markdown = re.sub(r"^```\n.*?\n```$", "", texts["md"], flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"<script|(?<!\\)\]\(javascript|^# injected|(?<!\\)~~|(?<!\\)`", markdown, re.MULTILINE)
    assert "<script>alert" not in texts["html"]
    assert not re.search(r"(^|,)\"?[=@]", texts["csv"], re.MULTILINE)
    for picture in (tmp_path / "figures").iterdir():
        ET.parse(picture)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("snip_a[b=1]", r"snip_a\[b=1\]"),
        ("_a_ b_c", r"\_a\_ b_c"),
        ("a & b < c", "a &amp; b &lt; c"),
        ("a|b", r"a\|b"),
        ("one\ntwo", r"one\\ntwo"),
    ],
)
def test_markdown(text: str, written: str) -> None:
    assert escape.markdown(text) == written


def test_a_spreadsheet_sees_no_formula_but_numbers_stay_numbers() -> None:
    assert [escape.csv(value) for value in ("=1+1", "-x", "snip", -1.5)] == ["'=1+1", "'-x", "snip", -1.5]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_gets_the_signs_that_it_has(frame: pd.DataFrame, encoding: str) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    reports.Report(frame).show(file)
    file.seek(0)
    text = file.read()
    assert "no effect" in text
    wrapped, _, _ = text.partition("  python -m sanity.run ")  # a command to be copied is one line
    assert max(map(len, wrapped.splitlines())) <= 100
    assert ("~ no effect" in text) == (encoding != "utf-8")
    assert (" +- " in text) == (encoding == "ascii")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"last_test_accuracy": 250.0}, "last_test_accuracy=250.0 is no percentage"),
        ({"last_test_accuracy": -3.0}, "last_test_accuracy=-3.0 is no percentage"),
        ({"best_test_accuracy": 1e308}, "best_test_accuracy=1e+308 is no percentage"),
        ({"last_test_accuracy": math.inf}, "last_test_accuracy=inf is no percentage"),
        ({"last_test_accuracy": None}, "last_test_accuracy is not recorded"),
        ({"last_test_accuracy": [1, 2]}, "last_test_accuracy=[1, 2] is no percentage"),
        ({"last_test_accuracy": "90"}, "last_test_accuracy=90 is no percentage"),
        ({"last_test_accuracy": 0.9173, "test_examples": 10000}, "last_test_accuracy=0.9173 is a fraction"),
        ({"status": "finished"}, "status=finished is none of done, "),
    ],
)
def test_a_run_without_a_usable_accuracy_is_named_and_not_counted(
    make_record: Record, values: dict[str, Any], says: str
) -> None:
    rows = runs(make_record)
    rows[3] |= values
    control, check = summarise(pd.DataFrame(rows)).cells
    assert (control.accuracy.n, check.accuracy.n) == (2, 1)
    assert check.comparison is not None
    assert check.comparison.difference.n == 1
    (note,) = notes(check)
    assert note.startswith(f"1 of 2 runs not counted: {says}")


def test_fractions_throughout_are_not_counted(make_record: Record) -> None:
    fractions = [row | {"last_test_accuracy": 0.9, "best_test_accuracy": 0.95} for row in runs(make_record)]
    control, check = summarise(pd.DataFrame(fractions)).cells
    assert control.accuracy.n == check.accuracy.n == 0
    assert "accuracies are fractions" in notes(check)[0]
    many = [row | {"classes": 200} for row in fractions]  # half a percent is chance
    assert summarise(pd.DataFrame(many)).cells[0].accuracy.n == 2


@pytest.mark.parametrize(
    "values",
    [
        {"ratio": None},
        {"ratio": "0.9"},
        {"ratio": 3},
        {"seed": [1]},
        {"seed": 0.5},
        {"method": None},
        {"check": ["reinit"]},
        {"dataset": 3},
    ],
)
def test_a_record_that_has_no_place_is_one_line(make_record: Record, values: dict[str, Any]) -> None:
    rows = runs(make_record, cell="c" * 8)
    rows[3] |= values
    with pytest.raises(UserError, match=f"records: {next(iter(values))}=.*of the cell cccccccc: should be") as caught:
        summarise(pd.DataFrame(rows))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"layers": {"a": {"weights": 0, "kept": 0}}},
        {"layers": {"a": {"weights": 3}}},
        {"layers": [1]},
        {"collapsed": 7},
        {"versions": "1"},
        {"wall_s": math.inf},
        {"wall_s": "long"},
        {"kept": [3]},
        {"training": ["x"]},
        {"overrides": ["x"]},
        {"commit": {"a": 1}},
        {"identical_to_none": "yes"},
        {"mask_overlap": None},
        {"classes": "ten"},
    ],
)
def test_what_is_of_another_form_counts_as_not_recorded(
    make_record: Record, tmp_path: Path, values: dict[str, Any]
) -> None:
    rows = runs(make_record)
    rows[3] |= values
    files = reports.Report(pd.DataFrame(rows)).write(tmp_path, formats=reports.FORMATS)
    assert all(path.stat().st_size for path in files.values())


@pytest.mark.parametrize("margin", [math.inf, 0.0, -1.0, math.nan, 101.0])
def test_a_margin_has_bounds(make_record: Record, margin: float) -> None:
    with pytest.raises(UserError, match="margin="):
        summarise(pd.DataFrame(runs(make_record)), Analysis(margin=margin))


def test_methods_whose_labels_differ_in_signs_alone_have_pictures_of_their_own(make_record: Record) -> None:
    rows = [
        make_record(f"scaled[power={power}]", check, 0.9, seed, 90.0 + power + seed / 10)
        for power in (2, -2)
        for check in ("none", "reinit")
        for seed in range(2)
    ]
    sections = figures.draw(summarise(pd.DataFrame(rows)))
    for section in sections:
        names = [picture.name for picture in section.pictures]
        assert len(set(names)) == len(names) == (1 if section.kind == "forest" else 2)


def test_many_overrides_make_no_file_name_too_long(make_record: Record, tmp_path: Path) -> None:
    overrides = " ".join(f"recipe.option_{place}=0.123456789" for place in range(30))
    rows = runs(make_record) + runs(make_record, overrides=overrides, recipe="other")
    for row in rows[4:]:
        row["method"] = f"snip[{overrides.replace(' ', ',')}]"
    files = reports.Report(pd.DataFrame(rows)).write(tmp_path, formats=["md"])
    names = [path.name for path in (tmp_path / "figures").iterdir()]
    assert max(map(len, names)) < 100
    assert all(name in files["md"].read_text(encoding="utf-8") for name in names)


def test_a_diverged_run_without_a_number_or_classes_is_said_to_count_as_zero(make_record: Record) -> None:
    from reports.sentences import sentence

    rows = runs(make_record)
    rows[3] |= {"status": "diverged", "last_test_accuracy": None}
    summary = summarise(pd.DataFrame(rows))
    assert "diverged (counted as 0, since the number of classes is not recorded)" in sentence(
        [summary.cells[1]], summary
    )
    rows[3] |= {"classes": 10}
    summary = summarise(pd.DataFrame(rows))
    assert "diverged (counted as chance)" in sentence([summary.cells[1]], summary)
