"""Placement: ranks by mean accuracy, differences paired by seed, checks of all methods side by side."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports import placement_shown
from reports.analysis import Analysis
from reports.placement import flat, placement, with_baselines
from tests.reports.test_machine import SCHEMA, check

SEEDS = (0, 1, 2, 3, 4)
NOISE = (0.0, 0.1, -0.1, 0.05, -0.05)


def records(means: Mapping[tuple[str, str], float], ratio: float = 0.9, recipe: str = "quick") -> pd.DataFrame:
    """(method, check) -> mean accuracy, as records of five seeds that share their noise."""
    rows = [
        {"dataset": "mnist", "model": "lenet5", "recipe": recipe, "method": method, "check": check, "seed": seed,
         "ratio": 0.0 if method == "dense" else ratio, "status": "done", "classes": 10,
         "last_test_accuracy": mean + noise * (1 + 0.1 * place), "best_test_accuracy": mean + noise}
        for place, ((method, check), mean) in enumerate(means.items())
        for seed, noise in zip(SEEDS, NOISE, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


SET = {("dense", "none"): 98.0, ("random", "none"): 90.0, ("snip", "none"): 96.0, ("synflow", "none"): 94.0,
       ("snip", "invert"): 80.0, ("synflow", "invert"): 94.0}  # fmt: skip
OWN = {("mine:Scaled", "none"): 95.0, ("mine:Scaled", "invert"): 70.0}

DESIGNS = ("fixed", "sequential")
OTHER = {("snip", "none"): 97.0, ("snip", "invert"): 90.0}


def test_a_method_stands_between_those_that_are_better_and_worse() -> None:
    (place,) = placement(records(OWN), records(SET), Analysis()).places
    assert (place.rank, place.of) == (2, 4)
    assert [(one.reference, one.outcome) for one in place.others] == [
        ("snip", "worse"), ("synflow", "better"), ("random", "better")
    ]  # fmt: skip
    assert place.counts() == [("better", 2), ("worse", 1)]
    assert [one.comparison.difference.mean for one in place.others] == pytest.approx([-1, 1, 5])


def test_seeds_that_were_added_as_one_liked_have_the_intervals_of_that_design(tmp_path: Path) -> None:
    rows = {}
    for design in DESIGNS:
        where = tmp_path / design
        path = reports.Report(records(OWN), reports.Analysis(design=design), reference=records(SET)).write(
            where, formats=["json"]
        )["json"]
        rows[design] = json.loads(path.read_text(encoding="utf-8"))["placement"]
    for fixed, sequential in zip(rows["fixed"], rows["sequential"], strict=True):
        assert fixed["difference"] == sequential["difference"]
        assert sequential["low"] < fixed["low"] < fixed["high"] < sequential["high"]


def test_a_set_is_judged_by_the_seeds_that_it_names_whatever_seeds_the_own_method_gets_besides() -> None:
    few = records(SET)
    few = few[few["seed"] < 3]
    fixed, sequential = (placement(records(OWN), few, reports.Analysis(design=name)) for name in DESIGNS)
    differences = [[one.comparison for one in placed.places[0].others] for placed in (fixed, sequential)]
    assert differences[0] == differences[1]
    (own, *theirs), (own_sequential, *theirs_sequential) = (placed.cells for placed in (fixed, sequential))
    assert theirs == theirs_sequential
    assert own.compared != own_sequential.compared, "its own checks are those of the design"
    looked_at = placement(records(OWN).assign(earlier_look=3), few, reports.Analysis())
    assert looked_at.cells == (own_sequential, *theirs), "looks at one's own records are none at those of the set"


def test_nothing_is_claimed_across_settings_and_ones_own_rows_count_once() -> None:
    other = records(SET, recipe="su2020")
    assert placement(records(OWN), other, Analysis()).places[0].of == 1
    twice = placement(records({**OWN, ("snip", "none"): 91.0}), records(SET), Analysis())
    assert {one.reference for place in twice.places for one in place.others} == {"random", "synflow"}


def test_settings_of_one_method_are_placed_each_by_itself() -> None:
    """Two recipes, and two runs that differ in an option: by method and ratio alone the last took the others' place."""
    other = {("mine:Scaled", "none"): 91.0, ("mine:Scaled", "invert"): 91.0}
    theirs = pd.concat([records(SET), records(SET, recipe="su2020")], ignore_index=True)
    own = pd.concat([records(OWN), records(other, recipe="su2020")], ignore_index=True)
    placed = placement(own, theirs, Analysis())
    assert [(place.setting[2], place.accuracy.mean, place.rank, place.of) for place in placed.places] == [
        ("quick", pytest.approx(95), 2, 4), ("su2020", pytest.approx(91), 3, 4)
    ]  # fmt: skip
    sentences = [*placement_shown.sentences(placed)]
    assert [text.split(" at ")[0] for text in sentences] == [
        "mine:Scaled (quick)", "mine:Scaled (su2020)", "mine:Scaled (quick)", "mine:Scaled (su2020)"
    ]  # fmt: skip
    assert "invert: effect" in sentences[2]
    assert "invert: no effect" in sentences[3]
    ranking, verdicts = placement_shown.tables(placed)
    assert len(ranking.rows) == 8
    assert [row[0].text for row in verdicts.rows][:2] == ["mine:Scaled (quick) (yours)", "mine:Scaled (su2020) (yours)"]
    assert {row["recipe"] for row in flat(placed)} == {"quick", "su2020"}

    for known, of in ((None, 4), ("epochs=20", 4), ("epochs=1", 1)):
        ours = records(OWN).assign(recipe_in_full=known)
        assert placement(ours, records(SET).assign(recipe_in_full="epochs=20"), Analysis()).places[0].of == of
    twice = [records(OWN).assign(overrides=text) for text in ("recipe.lr=0.1", "recipe.lr=0.2")]
    apart = placement(pd.concat(twice, ignore_index=True), records(SET).assign(overrides=""), Analysis())
    assert len({place.setting for place in apart.places}) == len(apart.places) == 2


def test_checks_stand_beside_those_of_the_set() -> None:
    theirs = pd.concat([records({**SET, ("snip", "reinit"): 96.0}), records(OTHER, ratio=0.5)], ignore_index=True)
    placed = placement(records(OWN), theirs, Analysis())
    assert {(cell.check, cell.ratio) for cell in placed.cells} == {("invert", 0.9)}  # what was asked of one's own
    sentences = [*placement_shown.sentences(placed)]
    assert sentences[0].startswith("mine:Scaled at 90 %: 95.00 ± ")
    assert sentences[0].endswith("rank 2 of 4; against the others: 2 better, 1 worse.")
    assert sentences[1] == "mine:Scaled at 90 %, invert: effect; the others: 1 effect, 1 no effect."


def test_the_ranking_names_everyone_once_and_the_verdicts_begin_with_ones_own() -> None:
    ranking, verdicts = placement_shown.tables(placement(records(OWN), records(SET), Analysis()))
    assert [row[2].text for row in ranking.rows] == ["SNIP", "mine:Scaled (yours)", "SynFlow", "Random"]
    assert [row[1].text for row in ranking.rows] == ["1", "2", "3", "4"]
    assert verdicts.rows[0][0].text == "mine:Scaled (yours)"


def test_every_number_is_there_to_be_read_by_programs(tmp_path: Path) -> None:
    path = reports.Report(records(OWN), reference=records(SET)).write(tmp_path, formats=["json"])["json"]
    report = json.loads(path.read_text(encoding="utf-8"))
    check(report, SCHEMA)
    rows = report["placement"]
    assert rows == flat(placement(records(OWN), records(SET), Analysis()))
    assert all(row.keys() == SCHEMA["properties"]["placement"]["items"]["properties"].keys() for row in rows)
    assert {row["against"] for row in rows} == {"snip", "synflow", "random"}
    assert all(row["low"] <= row["difference"] <= row["high"] and row["n"] == len(SEEDS) for row in rows)


def test_a_report_gets_the_dense_network_and_plain_random_pruning_of_the_set() -> None:
    others = {("random[allocation=erk]", "none"): 91.0, ("random[allocation=global]", "none"): 90.5}
    frame = with_baselines(records(OWN), records({**SET, **others}))
    assert set(frame["method"]) == {"mine:Scaled", "dense", "random", "random[allocation=global]"}
