"""`reference=NAME`: one's own method runs by the settings of a set, and the report places it among its records."""

import shlex
from pathlib import Path

import pandas as pd
import pytest

from reports.__main__ import main as report
from reproductions import reference
from sanity import reference as public
from sanity.cli.reference import runs
from sanity.cli.request import requested
from sanity.config import pairs
from sanity.errors import UserError
from sanity.grid.cells import cells
from sanity.grid.requests import command
from sanity.run import main, run
from sanity.store import pack

TINY = """
title = "a tiny set"
description = "For tests."
[run]
dataset = "digits"
"dataset.limit" = 200
"dataset.test_limit" = 100
model = "lenet_300_100"
recipe = "quick"
"recipe.epochs" = 1
precision = "fp32"
device = "cpu"
seeds = [0, 1]
methods = ["dense", "random", "magnitude", "snip"]
[[panel]]
ratio = [0.9]
checks = ["layerwise_rearrange"]
[[panel]]
methods = ["random"]
ratio = [0.5, 0.9]
checks = ["reinit"]
"""
MINE = """
from dataclasses import dataclass
from methods.base import Method

@dataclass(frozen=True, kw_only=True)
class Scaled(Method):
    \"\"\"|w| times a power of the fan-in.

    power: the exponent.
    \"\"\"

    power: float = 0.5

    def saliency(self, net, batches, generator):
        return {name: w.detach().abs() * w[0].numel() ** self.power for name, w in self.targets(net).items()}
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the description of a set and its records."""
    here = tmp_path_factory.mktemp("reference")
    (here / "tiny.toml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "HERE", here)
        keys = {"reference": "tiny", "results_dir": str(here / "results"), "ratio": "0.9"}
        first = requested(keys).configs[0]
        assert first.methods == ("dense", "random", "magnitude", "snip")
        from sanity.grid.execution import run_grids

        run_grids([first])
    pack(here / "results", here / "tiny")
    return here


@pytest.fixture
def here(measured: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(reference, "HERE", measured)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_a_method_of_ones_own_runs_as_the_set_and_is_placed_in_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["methods=mine:Scaled", "reference=tiny", "ratio=0.9", f"results_dir={here / 'own'}", "report_dir=report"]
    assert main(words) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "mine:Scaled at 90 %:" in shown
    assert "of 4; against the others:" in shown
    assert "layerwise rearrange:" in shown
    page = (here / "report" / "report.md").read_text(encoding="utf-8")
    assert "mine:Scaled (yours)" in page
    own = [path.name for path in (here / "own" / "cells").glob("*.json")]
    assert len(own) == 4  # two seeds, with and without the check: nothing of the set is trained again
    assert report([str(here / "own"), "--reference", "tiny", "--format", "md", "--output", "again"]) == 0
    again = " ".join(capsys.readouterr().out.split())
    assert again.partition("The report")[0] == shown.partition("The report")[0], "the same as when it was trained"
    assert "mine:Scaled (yours)" in (here / "again" / "report.md").read_text(encoding="utf-8")


def test_the_own_rows_have_the_settings_and_seeds_of_the_set(here: Path) -> None:
    frame = run({"methods": "mine:Scaled", "reference": "tiny", "ratio": "0.9", "results_dir": str(here / "own")})
    theirs = public.load("tiny")
    shared = ["dataset", "model", "recipe", "overrides", "recipe_in_full", "precision", "data_digest"]
    assert frame[shared].drop_duplicates().values.tolist() == theirs[shared].drop_duplicates().values.tolist()
    assert set(frame["seed"]) == set(theirs["seed"]) == {0, 1}
    assert set(frame["check"]) == {"none", "layerwise_rearrange"}


@pytest.mark.parametrize(
    ("method", "left_out", "says"),
    [
        ("npb", {"invert"}, "note: checks=invert is left out: npb constructs its mask, so that there is no ranking"),
        ("gmp", {"invert", "reinit"}, "note: checks=reinit is left out: gmp starts from the dense network"),
        ("snip", set(), ""),
    ],
)
def test_checks_that_cannot_be_asked_of_a_method_are_left_out_and_said(
    method: str, left_out: set[str], says: str, measured: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "tiny.toml").write_text(TINY.replace('["layerwise_rearrange"]', '["reinit", "invert"]'))
    (tmp_path / "tiny").symlink_to(measured / "tiny")
    monkeypatch.setattr(reference, "HERE", tmp_path)
    at_90, _ = runs({"reference": "tiny", "methods": method})
    assert set(at_90.checks) - {"none"} == {"reinit", "invert"} - left_out
    error = capsys.readouterr().err
    assert says in error
    assert bool(error) == bool(says)
    assert set(runs({"reference": "tiny", "methods": method, "checks": "invert"})[0].checks) == {"invert"}, "asked for"


def test_each_of_several_methods_keeps_its_options_and_a_misspelt_one_is_said(here: Path) -> None:
    keys = {"reference": "tiny", "methods": "mine:Scaled,synflow", "mine:Scaled.power": "1", "synflow.rounds": "3"}
    assert {config.methods: set(config.options) - {"dataset", "recipe"} for config in runs(keys)} == {
        ("mine:Scaled",): {"mine:Scaled"},
        ("synflow",): {"synflow"},
    }
    with pytest.raises(UserError, match="synflw"):
        cells(runs({**keys, "synflw.rounds": "3"})[0])


def test_without_methods_it_is_the_grid_of_the_set() -> None:
    whole = runs({"reference": "digits_lenet_300_100"})
    assert {name for config in whole for name in config.methods} >= {"dense", "random", "snip", "phew", "gem_miner"}
    assert all(config.reference == "digits_lenet_300_100" for config in whole)
    own = reference.panels("digits_lenet_300_100", ["snip"])
    ratios = [ratio for panel in own for ratio in panel["ratio"]]
    assert len(ratios) == len(set(ratios))


def test_the_set_itself_is_reported_on_without_a_results_folder(
    here: Path, measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (measured / "tiny").rglob("*")}
    assert report(["--reference", "tiny", "--format", "csv", "--figures", "svg"]) == 0
    folder = here / "results" / "reports" / "reference-tiny"
    assert str(folder.relative_to(here) / "report.csv") in capsys.readouterr().out
    rows = pd.read_csv(folder / "report.csv")
    assert set(rows["method"]) == {"dense", "random", "magnitude", "snip"}
    assert [*(folder / "figures").glob("*.svg")]
    assert {path: path.stat().st_mtime_ns for path in (measured / "tiny").rglob("*")} == before


@pytest.mark.parametrize("other", [{"model": "vgg19"}, {"data_digest": "d" * 64}, {"init": "openlth"}])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "results: name a results folder, or a set with --reference NAME"),
        (["--reference", "tinny"], "unknown reference 'tinny'. Did you mean 'tiny'?"),
        (["--reference", "tiny", "--reproduction", "lee2019_table1"], "goes with no --reproduction"),
        (
            ["other", "--reference", "tiny"],
            "no record of other is of its data, network, recipe and settings (digits, ",
        ),
    ],
)
def test_what_no_report_can_be_made_of_is_one_line(
    here: Path, words: list[str], says: str, other: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "other").mkdir()
    rows = public.load("tiny").assign(**other)
    rows.to_json(here / "other" / "records.jsonl", orient="records", lines=True)
    assert report(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


@pytest.mark.parametrize("name", reference.names())
def test_the_command_that_a_folder_keeps_runs_the_same_cells_again(name: str) -> None:
    """Also of a set of which nothing is recorded yet, where `methods` with `reference` would be refused."""
    for config in runs({"reference": name}):
        (again,) = requested(pairs(shlex.split(command(config))[3:])).configs
        assert cells(again) == cells(config)


def test_each_described_set_can_be_read_and_names_what_there_is() -> None:
    assert reference.names()
    for name in reference.names():
        assert name in reference.listing()
        assert name in reference.about(name)
        configs = runs({"reference": name})
        tickets = [cell for one in configs for cell in cells(one) if cell.method.name != "dense"]
        assert len(tickets) == len(set(tickets)), "a cell is in two panels"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"reference": "tinny"}, "unknown reference 'tinny'. Did you mean 'tiny'?"),
        ({"recipe": "su2020"}, "recipe=su2020: reference=tiny has quick"),
        ({"recipe.epochs": "2"}, "recipe.epochs=2: reference=tiny sets its own recipe"),
        ({"model": "resnet20"}, "model=resnet20: reference=tiny has lenet_300_100"),
        ({"ratio": "0.7"}, "ratio=0.7: the table has 0.5, 0.9"),
        ({"reproduction": "lee2019_table1"}, "goes with no reproduction"),
    ],
)
def test_what_the_set_decides_is_refused_in_one_line(here: Path, keys: dict[str, str], says: str) -> None:
    with pytest.raises(UserError) as refused:
        requested({"methods": "snip", "reference": "tiny", **keys})
    assert says in str(refused.value)


def test_auto_adds_seeds_for_checks_and_keeps_those_of_the_set_elsewhere(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {"reference": "tiny", "seeds": "auto", "max_seeds": "9", "methods": "gmp,snip"}
    limits = {(config.methods, config.checks): config.max_seeds for config in runs(keys)}
    assert limits == {
        (("gmp",), ("none",)): 2, (("snip",), ("layerwise_rearrange",)): 9, (("snip",), ("reinit",)): 9
    }  # fmt: skip
    assert {config.seeds for config in runs(keys)} == {"auto"}
    (line,) = {line for line in capsys.readouterr().err.splitlines() if "seeds" in line}
    assert line.endswith("comparisons with those of reference=tiny end at its seeds 0, 1")
    assert {config.seeds for config in runs({"reference": "tiny", "seeds": "auto"})} == {"auto"}
    assert not capsys.readouterr().err, "without methods it is the set itself"
    frame = run({"methods": "mine:Scaled", "reference": "tiny", "ratio": "0.9", "seeds": "auto", "max_seeds": "3"})
    assert set(frame["seed"]) == {0, 1, 2}


def test_auto_without_a_check_is_the_fixed_seeds_of_the_set(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the sequential design so few seeds could decide nothing."""
    configs = runs({"reference": "tiny", "seeds": "auto", "methods": "gmp"})
    assert {(config.seeds, config.design) for config in configs} == {((0, 1), "fixed")}
    assert "seeds=auto: no check is asked; seeds 0, 1 of reference=tiny are run" in capsys.readouterr().err


def test_auto_is_refused_for_a_set_whose_seeds_do_not_count_from_zero(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reference, "HERE", tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY.replace("seeds = [0, 1]", "seeds = [5, 7]"))
    with pytest.raises(UserError, match="counts from 0, and reference=tiny has seeds 5, 7; name some of them"):
        runs({"reference": "tiny", "seeds": "auto"})


def test_a_set_without_records_says_how_they_are_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reference, "HERE", tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    with pytest.raises(UserError, match=r"nothing of it was measured yet; python -m sanity\.run reference=tiny"):
        requested({"methods": "snip", "reference": "tiny"})


def test_the_same_value_as_the_sets_is_no_mistake(here: Path) -> None:
    assert runs({"methods": "snip", "reference": "tiny", "recipe": "quick", "recipe.epochs": "1"})


def test_records_are_a_frame(here: Path) -> None:
    frame = public.load("tiny")
    assert isinstance(frame, pd.DataFrame)
    assert {"method", "check", "ratio", "seed", "last_test_accuracy"} <= set(frame)
