"""Expected verdicts: a repository's CI fails where one is another, and where nothing was tested."""

from pathlib import Path

import pandas as pd
import pytest

from reports.__main__ import main
from reports.expectations import read, unmet
from reports.statistics import summarise
from sanity.errors import UserError
from sanity.store.store import Store

MET = """
[[expect]]
method = "grasp"
check = "layerwise_rearrange"
verdict = "equivalent"

[[expect]]
check = "random_labels+reinit"
ratio = [0.9, 0.98]
model = "tiny"
verdict = ["different", "likely different"]
"""


def missed(frame: pd.DataFrame, folder: Path, text: str) -> list[str]:
    path = folder / "expectations.toml"
    path.write_text(text)
    return unmet(read(path), summarise(frame))


def test_expectations_that_are_met_say_nothing(frame: pd.DataFrame, tmp_path: Path) -> None:
    assert missed(frame, tmp_path, MET) == []


def test_each_verdict_that_is_another_is_named(frame: pd.DataFrame, tmp_path: Path) -> None:
    text = '[[expect]]\nmethod = "grasp"\ncheck = "layerwise_rearrange"\nverdict = "different"\n'
    sentences = missed(frame, tmp_path, text)
    assert len(sentences) == 3
    assert sentences[0] == "grasp 90 % layerwise_rearrange (synthetic, tiny, short): equivalent, expected different"
    assert len(missed(frame, tmp_path, text + "ratio = 0.98\n")) == 1


def test_what_meets_no_comparison_is_not_met(frame: pd.DataFrame, tmp_path: Path) -> None:
    (sentence,) = missed(frame, tmp_path, '[[expect]]\ncheck = "reinit"\nratio = 0.97\nverdict = "different"\n')
    assert sentence == "check reinit, ratio 0.97: no comparison, so nothing was tested"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "should hold entries"),
        ("[[expect]]\nmethod = 'snip'", "needs a check and a verdict"),
        ("[[expect]]\ncheck = 'reinit'\nverdict = 'diferent'", "Did you mean 'different'"),
        ("[[expect]]\ncheck = 'reinit'\nverdict = 'different'\nmetod = 'snip'", "Did you mean 'method'"),
        ("[[expect", "expect="),
        ("other = 3", "should hold entries"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "expectations.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_file_in_another_encoding_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "expectations.toml"
    path.write_bytes('[[expect]]\ncheck = "é"\n'.encode("latin-1"))
    with pytest.raises(UserError, match=r"^--expect=.*expectations\.toml: should be text in UTF-8$"):
        read(path)


def test_the_command_line_fails_where_a_verdict_is_another(
    frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    few = frame[(frame["method"] == "grasp") & (frame["ratio"] == 0.9)]
    for number, row in enumerate(few.drop(columns=["paper_mean", "paper_std", "paper_n"]).to_dict("records")):
        content = {str(name): value for name, value in row.items()}
        store.write(tmp_path / "cells" / f"{number:020x}.json", content)
    path = tmp_path / "expectations.toml"
    for verdict, code, says in (
        ("equivalent", 0, "1 expectation met"),
        ("different", 1, "not all of 1 expectation met"),
    ):
        path.write_text(f'[[expect]]\ncheck = "layerwise_rearrange"\nverdict = "{verdict}"\n')
        assert main([str(tmp_path), "--quiet", "--format", "json", "--expect", str(path)]) == code
        assert says in capsys.readouterr().out
