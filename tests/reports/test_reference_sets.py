"""What a reference set holds, as Markdown and as pictures; the pages in the docs are what the records say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from reports import reference_command, reference_pictures
from reports.reference_command import main
from reports.reference_pictures import pictures
from reports.reference_sets import page, summary_of
from reproductions import reference
from reproductions.reference.records import load
from tests.reports.test_placement import OWN, SET, records

MEASURED = [name for name in reference.names() if (reference.HERE / name).is_dir()]
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", MEASURED)
def test_the_page_in_the_docs_is_what_the_records_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 0
    page_kept = (DOCS / f"reference_points_{name}.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == page_kept, f"python -m sanity.reference {name} > docs/reference_points_{name}.md"


def a_set() -> pd.DataFrame:
    return records({**SET, **OWN}).assign(device="cpu")


def test_methods_stand_by_accuracy_with_their_runs_and_each_check_has_its_verdict() -> None:
    lines = page("digits_lenet_300_100", a_set()).splitlines()
    rows = [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("| ")]
    assert rows == ["method", "SNIP", "mine:Scaled", "SynFlow", "Random", "method", "SNIP", "mine:Scaled", "SynFlow"]
    assert "| SNIP | ≠ \N{MINUS SIGN}16.0 |" in lines
    assert "| SynFlow | ≈ 0.0 |" in lines
    assert any("Measured so far: 8 cells of the" in line for line in lines)


def test_pictures_are_of_the_same_bytes_each_time() -> None:
    summary = summary_of(a_set())
    drawn = pictures("tiny", summary)
    assert set(drawn) == {"tiny_accuracy.svg", "tiny_checks.svg"}
    assert drawn == pictures("tiny", summary)
    assert "mine:Scaled" in drawn["tiny_accuracy.svg"]


def test_figures_go_to_the_folder_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_command, "load", lambda _: a_set())
    assert main(["digits_lenet_300_100", "--figures", str(tmp_path)]) == 0
    assert len([*tmp_path.glob("*.svg")]) == 2
    assert main(["--figures"]) == 2
    assert "--figures: needs a folder" in capsys.readouterr().err


def test_each_ratio_is_drawn_where_the_axis_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []

    def keep(figure: Figure, _: str) -> str:
        kept.append(figure)
        return ""

    monkeypatch.setattr(reference_pictures, "_svg", keep)
    pictures("tiny", summary_of(pd.concat([a_set(), records(OWN, 0.5).assign(device="cpu")], ignore_index=True)))
    (axes, *_) = kept[0].axes
    ticks = np.array(axes.get_xticks())
    drawn = {float(x) for line in axes.lines for x in np.asarray(line.get_xdata()) if x > 1}
    assert {float(ticks[np.abs(np.log(ticks / x)).argmin()]) for x in drawn} == set(ticks)
    assert len(drawn) > len(ticks), "methods stand apart"
    for x in drawn:
        assert np.abs(np.log(ticks / x)).min() <= np.log(1 + reference_pictures.ASIDE) + 1e-9


def test_a_set_that_is_measured_whole_says_so() -> None:
    frame = load("digits_lenet_300_100")
    assert "All 450 cells of the grid are measured, with 3 seeds." in page("digits_lenet_300_100", frame)
