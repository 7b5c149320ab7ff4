"""How often a grid was looked at: what is remembered, what is no new look, and what a report makes of it."""

from pathlib import Path

import pandas as pd
import pytest

from reports.analysis import Analysis
from reports.statistics import summarise
from sanity.store import looks
from sanity.store.records import load_records
from tests.reports.conftest import grid
from tests.small_runs import Start


def of_seeds(count: int) -> pd.DataFrame:
    frame = grid(ratios=[0.9], methods=["grasp"], checks=["none", "reinit"], seeds=6)
    return frame[frame["seed"] < count].reset_index(drop=True)


def earlier(count: int, root: Path) -> list[float]:
    frame = looks.with_earlier(of_seeds(count), root)
    return sorted(frame.loc[frame["check"] == "reinit", "earlier_look"].dropna().unique())


def test_the_fewest_seeds_of_all_looks_are_known(tmp_path: Path) -> None:
    assert earlier(3, tmp_path) == []
    for count in (3, 5):
        looks.remember(of_seeds(count), tmp_path)
        assert earlier(6, tmp_path) == [3]


def test_looking_again_at_the_same_seeds_is_no_new_look(tmp_path: Path) -> None:
    looks.remember(of_seeds(3), tmp_path)
    once = (tmp_path / looks.LOOKS).read_bytes()
    looks.remember(of_seeds(3), tmp_path)
    assert (tmp_path / looks.LOOKS).read_bytes() == once
    assert summarise(looks.with_earlier(of_seeds(3), tmp_path)).design == "fixed"


def test_more_seeds_after_a_look_are_judged_as_sequential_and_fewer_are_not(tmp_path: Path) -> None:
    looks.remember(of_seeds(3), tmp_path)
    summary = summarise(looks.with_earlier(of_seeds(6), tmp_path))
    assert (summary.design, summary.looked_at) == ("sequential", 3)
    assert summary == summarise(of_seeds(6).assign(earlier_look=3.0), Analysis(design="sequential"))
    assert summarise(looks.with_earlier(of_seeds(2), tmp_path)).design == "fixed"


def test_another_precision_or_recipe_is_another_grid(tmp_path: Path) -> None:
    looks.remember(of_seeds(3), tmp_path)
    for change in ({"precision": "bf16"}, {"recipe": "long"}, {"overrides": "recipe.lr=1"}):
        assert looks.with_earlier(of_seeds(6).assign(**change), tmp_path)["earlier_look"].isna().all()


def test_one_seed_is_no_look(tmp_path: Path) -> None:
    looks.remember(of_seeds(1), tmp_path)
    assert not (tmp_path / looks.LOOKS).exists()


def test_a_damaged_line_is_said_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    looks.remember(of_seeds(3), tmp_path)
    with (tmp_path / looks.LOOKS).open("a") as file:
        file.write('{"seeds": 3}\nhalf a li')
    assert earlier(6, tmp_path) == [3]
    assert "line 2 is no look" in caplog.text


def test_a_run_with_more_seeds_says_that_it_was_looked_at(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start() == 0
    assert "design=sequential)." in " ".join(capsys.readouterr().out.split())
    assert start(seeds="0,1,2") == 0
    said = "A report has shown these checks before with fewer seeds (from 2 seeds on)"
    assert said in " ".join(capsys.readouterr().out.split())
    assert summarise(load_records(tmp_path / "results")).looked_at == 2
