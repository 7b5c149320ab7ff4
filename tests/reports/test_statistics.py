"""What a report says of each cell: nothing dropped, everything paired by seed, and nothing claimed without grounds."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.analysis import Analysis
from reports.comparisons import Comparison
from reports.paper import PaperDelta
from reports.statistics import Cell, Summary, summarise
from reports.wording import inside_text, metric_text
from sanity import recipes
from sanity.errors import UserError

Record = Callable[..., dict]


def cells_of(rows: list[dict], **options: object) -> Summary:
    return summarise(pd.DataFrame(rows), Analysis(**options))  # type: ignore[arg-type]


def one(summary: Summary, **where: object) -> Cell:
    (cell,) = summary.select(**where)
    return cell


def compared(summary: Summary, **where: object) -> Comparison:
    comparison = one(summary, **where).comparison
    assert comparison is not None
    return comparison


def pairs(make: Record, control: list[float], check: list[float], **values: object) -> list[dict]:
    rows = [make("grasp", "none", 0.9, seed, value) for seed, value in enumerate(control)]
    return rows + [make("grasp", "reinit", 0.9, seed, value, **values) for seed, value in enumerate(check)]


def test_mean_deviation_and_paired_difference(make_record: Record) -> None:
    summary = cells_of(pairs(make_record, [90.0, 91.0, 92.0], [89.0, 90.5, 90.0]))
    control = one(summary, check="none")
    assert (control.accuracy.n, control.accuracy.mean, control.accuracy.std) == (3, 91.0, 1.0)
    difference = compared(summary, check="reinit").difference
    assert (difference.n, difference.mean) == (3, pytest.approx(-3.5 / 3))
    assert difference.std == pytest.approx(np.std([-1.0, -0.5, -2.0], ddof=1))
    assert control.comparison is None


def test_seeds_without_a_partner_are_counted_not_compared(make_record: Record) -> None:
    rows = pairs(make_record, [90.0, 91.0, 92.0], [89.0, 90.0])
    rows.append(make_record("grasp", "reinit", 0.9, 7, 10.0))
    comparison = compared(cells_of(rows), check="reinit")
    assert (comparison.difference.n, comparison.difference.mean, comparison.unpaired) == (2, -1.0, 2)
    assert one(cells_of(rows), check="reinit").accuracy.n == 3


def test_a_diverged_run_counts_and_is_named(make_record: Record) -> None:
    rows = pairs(make_record, [90.0, 90.0], [90.0])
    rows.append(make_record("grasp", "reinit", 0.9, 1, 10.0, status="diverged", diverged_epoch=1))
    cell = one(cells_of(rows), check="reinit")
    assert (cell.accuracy.n, cell.accuracy.mean, cell.diverged) == (2, 50.0, (1,))


@pytest.mark.parametrize(("extra", "expected"), [({"classes": 10}, 10.0), ({"classes": 200}, 0.5), ({}, 0.0)])
def test_a_diverged_run_without_a_number_counts_as_chance(make_record: Record, extra: dict, expected: float) -> None:
    rows = pairs(make_record, [90.0], [np.nan], status="diverged", diverged_epoch=0, **extra)
    assert one(cells_of(rows), check="reinit").accuracy.mean == expected


def test_missing_runs_are_cells_too(make_record: Record) -> None:
    rows = pairs(make_record, [90.0, 90.5], [np.nan, np.nan], status="missing")
    cell = one(cells_of(rows), check="reinit")
    assert (cell.accuracy.n, cell.missing) == (0, 2)
    assert cell.comparison is not None
    assert cell.comparison.verdict == "missing"


def test_an_identical_ticket_is_identical_whatever_the_number_of_seeds(make_record: Record) -> None:
    for accuracies in ([90.0], [90.0, 91.0, 92.0]):
        rows = pairs(make_record, accuracies, accuracies, identical_to_none=True)
        assert compared(cells_of(rows), check="reinit").verdict == "identical"


def test_equal_accuracies_of_different_tickets_are_not_called_identical(make_record: Record) -> None:
    comparison = compared(cells_of(pairs(make_record, [90.0, 91.0], [90.0, 91.0])), check="reinit")
    assert comparison.verdict == "undecided"
    assert math.isnan(comparison.p_different)


def test_one_seed_decides_nothing(make_record: Record) -> None:
    comparison = compared(cells_of(pairs(make_record, [90.0], [70.0])), check="reinit")
    assert (comparison.verdict, comparison.difference.mean) == ("undecided", -20.0)
    assert math.isnan(comparison.difference.half)
    assert math.isnan(comparison.seeds_needed)


def test_an_undecided_comparison_needs_more_seeds_than_it_has(make_record: Record) -> None:
    comparison = compared(cells_of(pairs(make_record, [90.0, 91.0, 92.0], [91.0, 90.0, 92.5])), check="reinit")
    assert comparison.verdict == "undecided"
    assert comparison.seeds_needed > 3


def test_metrics_are_never_mixed(make_record: Record) -> None:
    rows = pairs(make_record, [90.0, 91.0], [89.0, 90.0])
    assert one(cells_of(rows), check="none").accuracy.mean == 90.5
    assert one(cells_of(rows, metric="best"), check="none").accuracy.mean == pytest.approx(90.8)
    with pytest.raises(UserError, match=r"unknown metric 'lats'\. Did you mean 'last'"):
        cells_of(rows, metric="lats")


def paper_of(make: Record, accuracies: list[float], **paper: object) -> PaperDelta:
    values = {"paper_mean": 91.0, "paper_std": np.nan, "paper_n": np.nan, "paper_metric": "last", "paper_source": "T1"}
    rows = [make("grasp", "none", 0.9, seed, value, **(values | paper)) for seed, value in enumerate(accuracies)]
    delta = one(cells_of(rows)).paper
    assert delta is not None
    return delta


def test_delta_to_the_paper_says_whose_errors_it_counts(make_record: Record) -> None:
    both = paper_of(make_record, [90.0, 90.4, 90.2], paper_std=0.3, paper_n=5)
    ours = paper_of(make_record, [90.0, 90.4, 90.2])
    alone = paper_of(make_record, [90.2], paper_std=0.3, paper_n=5)
    assert (both.errors, ours.errors, alone.errors) == ("both", "ours", "none")
    assert both.delta == pytest.approx(-0.8)
    assert (ours.inside, alone.inside) == (False, None)  # -0.8 +- 0.497
    assert ours.half == pytest.approx(4.302653 * 0.2 / math.sqrt(3), rel=1e-6)
    assumed = paper_of(make_record, [90.0, 90.4, 90.2], paper_n=3)
    assert (assumed.errors, assumed.half) == ("assumed", pytest.approx(ours.half * math.sqrt(2)))


def test_a_diverged_run_does_not_bring_the_paper_inside(make_record: Record) -> None:
    paper = {"paper_mean": 91.0, "paper_n": 5.0, "paper_metric": "last", "paper_source": "T1"}
    rows = [make_record("grasp", "none", 0.9, seed, 90.0 + seed / 10, **paper) for seed in range(3)]
    rows[0] |= {"status": "diverged", "last_test_accuracy": None, "classes": 10}
    delta = one(cells_of(rows)).paper
    assert delta is not None
    assert abs(delta.delta) < delta.half
    assert delta.inside is None
    assert inside_text(delta) == "not judged: 1 of 3 runs diverged"


def test_the_papers_rounding_widens_the_interval(make_record: Record) -> None:
    exact, tenths = (paper_of(make_record, [90.0, 90.4, 90.2], paper_printed=text) for text in (None, "9.0"))
    assert tenths.half - exact.half == pytest.approx(0.05)
    assert paper_of(make_record, [90.0, 90.4, 90.2], paper_printed="9").half - exact.half == pytest.approx(0.5)


def test_a_papers_best_accuracy_is_compared_with_our_best(make_record: Record) -> None:
    delta = paper_of(make_record, [90.0, 90.4], paper_metric="best")
    assert (delta.compared, delta.ours.mean) == ("best", pytest.approx(90.5))
    unstated = paper_of(make_record, [90.0, 90.4], paper_metric="unstated")
    assert (unstated.metric, unstated.compared) == ("unstated", "last")
    early = paper_of(make_record, [90.0, 90.4], paper_metric="early_stopping")
    assert metric_text(early) == "last (paper: early stopping)"
    stopped = paper_of(make_record, [90.0, 90.4], paper_metric="early_stopping", early_stop_test_accuracy=85.0)
    assert (metric_text(stopped), stopped.ours.mean) == ("early stopping", 85.0)


def test_holm_counts_the_tests_of_one_claim(make_grid: Callable[..., pd.DataFrame]) -> None:
    frame = make_grid(methods=["grasp", "synflow"])
    claim = summarise(frame).select(method="grasp", check="reinit")
    tested = [cell.comparison for cell in claim if cell.comparison]
    assert [comparison.family for comparison in tested] == [3, 3, 3]
    smallest = min(tested, key=lambda comparison: comparison.p_different)
    assert smallest.p_holm == pytest.approx(min(1, 3 * smallest.p_different))
    alone = frame[(frame["method"] == "grasp") & frame["check"].isin(["none", "reinit"])]
    assert summarise(alone).select(check="reinit") == claim  # whatever else the table holds


def test_runs_under_different_circumstances_become_two_recipes(make_record: Record) -> None:
    rows = pairs(make_record, [90.0, 90.1], [89.0, 89.2])
    longer = [row | {"epochs": 30, "last_test_accuracy": 95.0} for row in rows]
    summary = cells_of(rows + longer)
    assert summary.names("recipe") == ["short (epochs=3)", "short (epochs=30)"]
    with pytest.raises(UserError, match="two for one cell"):
        cells_of(rows + rows)


@pytest.mark.parametrize(
    ("setting", "one", "other", "recipes"),
    [
        ("epochs", 3, 30, ["short (epochs=3)", "short (epochs=30)"]),
        ("precision", "fp32", "bf16", ["short (precision=fp32)", "short (precision=bf16)"]),
        ("overrides", "", "recipe.lr=1", ["short (as named)", "short (recipe.lr=1)"]),
        ("data_digest", "a" * 64, "b" * 64, [f"short (data_digest={letter * 12})" for letter in "ab"]),
    ],
)
def test_seeds_trained_under_different_settings_are_not_averaged(
    make_record: Record, setting: str, one: object, other: object, recipes: list[str]
) -> None:
    rows = [make_record("snip", "none", 0.9, seed, 90.0, **{setting: one if seed < 2 else other}) for seed in range(5)]
    summary = cells_of(rows)
    assert [(cell.recipe, cell.accuracy.n) for cell in summary.cells] == [(recipes[0], 2), (recipes[1], 3)]


def test_the_same_settings_asked_for_in_other_words_are_averaged(make_record: Record) -> None:
    said = ("", "dataset.download=true", "recipe.epochs=3")
    rows = [
        make_record("snip", "none", 0.9, seed, 90.0, overrides=words, recipe_in_full="epochs=3", model_options={})
        for seed, words in enumerate(said)
    ]
    assert [(cell.recipe, cell.accuracy.n) for cell in cells_of(rows).cells] == [("short", 3)]
    rows = [row | {"overrides": ""} for row in rows]
    rows[1]["recipe_in_full"] = "epochs=3 lr=1"  # as a recipe that was corrected between two runs, under one name
    assert sorted(cell.accuracy.n for cell in cells_of(rows).cells) == [1, 2]


@pytest.mark.parametrize(("later", "averaged"), [("", True), ("recipe.l1_norm=0.0001", False)])
def test_seeds_recorded_before_an_option_of_the_recipe_existed_are_averaged_where_it_is_not_set(
    make_record: Record, later: str, averaged: bool
) -> None:
    today = recipes.describe(recipes.get("quick"))
    before = today.replace(" recipe.l1_norm=0.0", "")
    assert before != today
    texts = [before, before, today.replace("recipe.l1_norm=0.0", later or "recipe.l1_norm=0.0")]
    rows = [
        make_record("snip", "none", 0.9, seed, 90.0, overrides="", recipe_in_full=text, model_options={})
        for seed, text in enumerate(texts)
    ]
    assert sorted(cell.accuracy.n for cell in cells_of(rows).cells) == ([3] if averaged else [1, 2])


def test_seeds_on_different_machines_are(make_record: Record) -> None:
    rows = [
        make_record("snip", "none", 0.9, seed, 90.0, device=f"cpu {seed}", commit=str(seed), deterministic=seed == 0)
        for seed in range(3)
    ]
    assert [cell.accuracy.n for cell in cells_of(rows).cells] == [3]


def test_a_run_of_which_no_setting_is_known_stays_in_the_table(make_record: Record) -> None:
    rows = [
        make_record("snip", "none", 0.9, seed, 90.0, precision=name) for seed in (0, 1) for name in ("fp32", "bf16")
    ]
    unknown = dict.fromkeys(("precision", "epochs", "commit", "last_test_accuracy", "best_test_accuracy"))
    rows.append(make_record("snip", "none", 0.9, 2, 90.0, **unknown, status="failed", reason="no memory"))
    summary = cells_of(rows)
    assert sorted((cell.recipe, cell.accuracy.n, len(cell.failed)) for cell in summary.cells) == [
        ("short", 0, 1), ("short (precision=bf16)", 2, 0), ("short (precision=fp32)", 2, 0),
    ]  # fmt: skip


def test_unusable_frames_are_one_clear_line() -> None:
    with pytest.raises(UserError, match="there are none"):
        summarise(pd.DataFrame())
    with pytest.raises(UserError, match="model, recipe"):
        summarise(pd.DataFrame({"dataset": ["x"]}))


ACCURACIES = st.lists(st.tuples(st.floats(20, 80), st.floats(20, 80)), min_size=2, max_size=6)


@given(both=ACCURACIES, shift=st.floats(-20, 20))
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_verdict_is_blind_to_a_common_shift_and_to_the_order_of_rows(
    make_record: Record, both: list[tuple[float, float]], shift: float
) -> None:
    def summary(offset: float, reverse: bool = False) -> Comparison:
        rows = pairs(make_record, [round(a, 3) + offset for a, _ in both], [round(b, 3) + offset for _, b in both])
        return compared(cells_of(rows[::-1] if reverse else rows), check="reinit")

    plain, shifted, reversed_ = summary(0.0), summary(round(shift, 3)), summary(0.0, reverse=True)
    assert plain.difference.mean == pytest.approx(shifted.difference.mean, abs=1e-9)
    assert plain.p_different == pytest.approx(shifted.p_different, nan_ok=True, abs=1e-6)
    assert plain.verdict == shifted.verdict == reversed_.verdict
