"""`seeds=auto` on small data: seeds go where a comparison is open, and what is stored decides, whoever stored it."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from reports.__main__ import main as report
from reports.seeds_spent import judge
from sanity.cli.request import requested
from sanity.config import from_mapping
from sanity.grid.execution import run_keys
from sanity.grid.rounds import Judge, Place, Rounds
from sanity.run import main, run
from sanity.training.loop import Interrupted

KEYS = {
    "model": "lenet_300_100", "recipe.epochs": 2, "recipe.batch_size": 20, "dataset.limit": 200,
    "dataset.test_limit": 100, "device": "cpu", "precision": "fp32", "methods": "snip", "checks": "reinit,invert",
    "ratio": 0.5,
}  # fmt: skip


def keys(root: Path, **others: object) -> dict[str, object]:
    return {**KEYS, "results_dir": str(root), **others}


def undecided_until(**seeds: int) -> Judge:
    """A judge to whom a check is open until it has so many seeds."""

    def open_checks(frame: pd.DataFrame) -> Mapping[Place, float]:
        counts = frame.groupby("check")["seed"].nunique()
        row = frame.iloc[0]
        return {
            (row["dataset"], row["model"], row["recipe"], "snip", check, 0.5): float(most - counts[check])
            for check, most in seeds.items()
            if counts[check] < most
        }

    return open_checks


def rounds(root: Path, judged: Judge, **others: object) -> Rounds:
    return Rounds(requested(keys(root, **others)).configs, judged)


def seeds_of(frame: pd.DataFrame) -> dict[str, list[int]]:
    return {str(check): list(rows["seed"]) for check, rows in frame.groupby("check")}


def trainings(root: Path) -> int:
    return len(list(root.glob("trainings/*/record.json")))


def test_seeds_go_to_what_is_open_and_to_its_control(tmp_path: Path) -> None:
    running = rounds(tmp_path, undecided_until(invert=6, reinit=4))
    running.run()
    wanted = {"none": [*range(6)], "invert": [*range(6)], "reinit": [*range(4)]}
    assert seeds_of(running.frame()) == wanted
    outlook = running.outlook()
    assert (outlook.comparisons, outlook.open, outlook.fewest, outlook.most) == (2, 0, 4, 6)
    assert outlook.end == "all decided"
    assert 0 < outlook.hours < 1

    before = trainings(tmp_path)
    again = rounds(tmp_path, undecided_until(invert=6, reinit=4))
    again.replay()  # of what is stored, by which all is decided
    assert again.outlook() == outlook
    assert list(again.frame()["cell"]) == list(running.frame()["cell"])
    assert trainings(tmp_path) == before


def test_records_of_others_count_and_a_stopped_run_comes_to_the_same_end(tmp_path: Path) -> None:
    running = rounds(tmp_path / "it", undecided_until(invert=7, reinit=5))
    running.run()
    run_keys(keys(tmp_path / "others", seeds="0,1,2,3,4,9"))
    asked = 0

    def soon() -> bool:
        nonlocal asked
        asked += 1
        return asked > 15

    stopped = Rounds(requested(keys(tmp_path / "others")).configs, undecided_until(invert=7, reinit=5), soon)
    with pytest.raises(Interrupted):
        stopped.run()
    last = rounds(tmp_path / "others", undecided_until(invert=7, reinit=5))
    last.run()
    assert list(last.frame()["cell"]) == list(running.frame()["cell"])
    assert trainings(tmp_path / "others") == trainings(tmp_path / "it") + 3  # those of seed 9


def test_it_stops_at_the_limits(tmp_path: Path) -> None:
    never = undecided_until(invert=99, reinit=99)
    few = rounds(tmp_path, never, max_seeds=5)
    few.run()
    assert few.outlook().end == "max_seeds"
    assert seeds_of(few.frame()) == {check: [*range(5)] for check in ("invert", "none", "reinit")}
    short = rounds(tmp_path / "new", never, max_hours=1e-9)
    short.run()
    assert short.outlook().end == "max_hours"
    assert seeds_of(short.frame()) == {check: [0] for check in ("invert", "none", "reinit")}


def test_the_command_ends_in_verdicts_and_the_report_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"{key}={value}" for key, value in keys(tmp_path, margin=30, report_dir=tmp_path / "report").items()]
    assert main([*words, "dry_run=true"]) == 0
    shown = capsys.readouterr().out
    assert "unknown, since there are no records yet; the first round is 12 trainings" in shown
    assert not list(tmp_path.iterdir())
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "can't tell" not in shown
    ended = "seeds for 2 comparisons (seeds=auto, design=sequential), 2 decided, 0 open"
    assert ended in shown
    page = (tmp_path / "report" / "report.md").read_text()
    assert ended in page
    assert "stopped since all are decided" in page
    assert "Both hold however often one looks" in page
    assert main([*words, "dry_run=true"]) == 0
    assert ended in capsys.readouterr().out


def test_a_dry_run_expects_seeds_and_hours_from_the_spread_so_far(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_keys(keys(tmp_path, seeds="0-3"))
    before = trainings(tmp_path)
    assert main([f"{key}={value}" for key, value in keys(tmp_path, margin=0.1, dry_run="true").items()]) == 0
    shown = capsys.readouterr().out
    assert "seeds=auto: 2 of 2 comparisons open after 4 seeds" in shown
    assert "more would decide them" in shown
    assert trainings(tmp_path) == before


def test_a_rebuilt_report_is_sequential_too(tmp_path: Path) -> None:
    run(keys(tmp_path, margin=0.1, max_seeds=5, checks="reinit"))
    assert report([str(tmp_path), "--margin", "0.1", "--quiet"]) == 0
    page = (tmp_path / "report.md").read_text()
    assert "design=sequential" in page


def test_tables_keep_their_seeds_and_take_auto() -> None:
    own = requested({"reproduction": "lee2019_table3"})
    assert {config.design for config in own.configs} == {"fixed"}
    assert all(len(config.seeds) == 20 for config in own.configs)
    auto = requested({"reproduction": "lee2019_table3", "seeds": "auto", "max_hours": 3})
    assert {(config.seeds, config.design, config.max_hours) for config in auto.configs} == {("auto", "sequential", 3.0)}
    assert auto.table is not None
    assert set(auto.table.cells()["asked"]) == {20}


def test_panels_of_one_request_are_one_design(tmp_path: Path) -> None:
    names = ("snip", "random")
    configs = [from_mapping(keys(tmp_path, methods=name, checks="invert", max_seeds=4)) for name in names]
    running = Rounds(configs, judge(configs[0]))
    running.run()
    assert list(running.frame()["method"].unique()) == ["snip", "random"]
    assert running.outlook().comparisons == 2
    assert len(running.frame()) == 2 * 2 * 4
