"""The verdicts as a matrix and in words: every cell is in it, ratio by ratio or, where they are many, by verdict."""

import math
import re
from collections.abc import Callable

import pandas as pd
import pytest

from reports.content import assemble
from reports.statistics import summarise
from reports.wording import percents


def test_ratios_without_any_run_are_folded_into_one_line_of_the_answer(make_record: Callable[..., dict]) -> None:
    rows = [make_record("snip", check, 0.9, seed, 96.0) for check in ("none", "reinit") for seed in range(3)]
    gone = {"status": "missing", "best_test_accuracy": math.nan}
    rows += [
        make_record("snip", check, ratio, 0, math.nan, **gone) for ratio in (0.5, 0.98) for check in ("none", "reinit")
    ]
    frame = pd.DataFrame(rows)
    content = assemble(frame, summarise(frame))
    (answer,) = content.answers
    assert [label for label, _ in answer.rows] == ["SNIP 90 %", "SNIP, 2 other ratios"]
    ((_, findings),) = answer.findings
    assert findings[-1].text == "SNIP at 50 and 98 %: not compared, no run is there."
    cells = content.tables[0]
    assert [row[cells.columns.index("ratio")].text for row in cells.rows] == ["90 %", "90 %"]
    assert cells.unrun is not None
    assert cells.unrun.folded == "Not run: 4 cells"
    assert len(cells.unrun.rows) == len(set(cells.ids) | set(cells.unrun.ids)) - 2 == 4


def test_what_failed_is_no_cell_that_was_never_run(make_record: Callable[..., dict]) -> None:
    gone = {"best_test_accuracy": math.nan}
    rows = [make_record("snip", "none", 0.9, 0, 96.0)]
    rows += [make_record("snip", "reinit", 0.9, 0, math.nan, status="failed", reason="out of memory", **gone)]
    frame = pd.DataFrame(rows)
    (cells,) = assemble(frame, summarise(frame)).tables
    assert len(cells.rows) == 2
    assert cells.unrun is None
    planned = pd.DataFrame([make_record("snip", "none", 0.9, 0, math.nan, status="missing", **gone)])
    (alone,) = assemble(planned, summarise(planned)).tables
    assert len(alone.rows) == 1  # nothing is folded where nothing else is there
    assert alone.unrun is None


def test_an_unrun_cell_stands_once_beside_what_the_paper_prints(make_record: Callable[..., dict]) -> None:
    paper = {"paper_mean": 96.0, "paper_metric": "last", "paper_source": "table 1"}
    gone = {"status": "missing", "best_test_accuracy": math.nan}
    rows = [
        make_record("snip", "none", 0.9, 0, 96.0, **paper),
        make_record("snip", "none", 0.95, 0, math.nan, **gone, **paper),
    ]
    frame = pd.DataFrame(rows)
    cells, papers = assemble(frame, summarise(frame)).tables
    assert (len(cells.rows), cells.unrun) == (1, None)
    assert papers.unrun is not None
    assert [row[papers.unrun.columns.index("paper, %")].text for row in papers.unrun.rows] == ["96.00"]


def curve(make_record: Callable[..., dict], moved: dict[float, float], spread: float = 0.05) -> pd.DataFrame:
    """SNIP at the ratios of `moved`, reinit moving accuracy by so many points."""
    rows = [
        make_record("snip", check, ratio, seed, 96.0 + (by + (seed - 1) * spread if check == "reinit" else 0.0))
        for ratio, by in moved.items()
        for check in ("none", "reinit")
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


RATIOS = [1 - 0.8**k for k in range(1, 7)]


def test_many_ratios_are_told_by_verdict_not_one_by_one(make_record: Callable[..., dict]) -> None:
    frame = curve(make_record, dict(zip(RATIOS, (0.1, -0.2, 0.0, -9.0, 0.1, -8.0), strict=True)))
    (answer,) = assemble(frame, summarise(frame)).answers
    ((label, ((equivalent, different),)),) = answer.rows
    assert label == "SNIP, 6 ratios"
    assert (equivalent.verdict, different.verdict) == ("equivalent", "different")
    assert equivalent.text == "20\N{EN DASH}48.8 and 67.2 %: \N{MINUS SIGN}0.20 to +0.10 [\N{MINUS SIGN}0.28, 0.18]"
    assert (
        different.text
        == "59 and 73.8 %: \N{MINUS SIGN}9.00 to \N{MINUS SIGN}8.00 [\N{MINUS SIGN}9.31, \N{MINUS SIGN}7.71]"
    )
    ((_, (first, _)),) = answer.findings
    assert first.text == (
        "SNIP at 20\N{EN DASH}48.8 and 67.2 %: re-initialising the whole network under the same mask changed accuracy "
        "by less than 0.5 points at each of these sparsities (estimates \N{MINUS SIGN}0.20 to +0.10, "
        "90 % intervals within \N{MINUS SIGN}0.28 to +0.18, n = 3), "
        "and a change of 0.28 points or more is excluded at each."
    )


def test_gains_and_losses_are_told_apart(make_record: Callable[..., dict]) -> None:
    frame = curve(make_record, dict(zip(RATIOS, (3.0, -2.0, 3.1, -2.1, 3.2, -9.0), strict=True)))
    (answer,) = assemble(frame, summarise(frame)).answers
    ((_, ((losses, gains),)),) = answer.rows
    assert {losses.verdict, gains.verdict} == {"different"}
    assert "36, 59 and 73.8 %: \N{MINUS SIGN}9.00 to \N{MINUS SIGN}2.00" in losses.text
    assert "20, 48.8 and 67.2 %: +3.00 to +3.20" in gains.text


def test_ratios_whose_error_is_unknown_are_told_apart(make_record: Callable[..., dict]) -> None:
    frame = curve(make_record, dict.fromkeys(RATIOS, 0.4), spread=0.6)
    alone = (frame["ratio"] == RATIOS[1]) & (frame["seed"] > 0)
    unpaired = (frame["ratio"] == RATIOS[4]) & (frame["seed"] == 0) & (frame["check"] == "none")
    frame = frame[~alone & ~unpaired]
    (answer,) = assemble(frame, summarise(frame)).answers
    ((_, (with_error, without)),) = answer.findings
    assert with_error.text.startswith("SNIP at 20 and 48.8\N{EN DASH}73.8 %: ")
    assert with_error.text.endswith(" Note: runs have no partner of the same seed at 1 of these ratios.")
    assert without.text.startswith("SNIP at 36 %: ")
    assert without.text.endswith("points (n = 1); one seed says nothing of the error, at least 2 are needed.")


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        (("none", "reinit"), "no run is there"),
        (("none",), "no run of the unperturbed ticket with the same seed is there"),
        ((), "no two runs of the same seed are there"),
    ],
)
def test_why_nothing_is_compared_is_true_of_all_ratios(
    make_record: Callable[..., dict], lost: tuple[str, ...], why: str
) -> None:
    frame = curve(make_record, dict.fromkeys(RATIOS, 0.1))
    for ratio, checks in ((RATIOS[1], lost or ("none",)), (RATIOS[2], lost or ("none", "reinit"))):
        gone = (frame["ratio"] == ratio) & frame["check"].isin(checks)
        frame.loc[gone, ["last_test_accuracy", "best_test_accuracy"]] = math.nan
        frame.loc[gone, "status"] = "missing"
    (answer,) = assemble(frame, summarise(frame)).answers
    ((_, findings),) = answer.findings
    assert findings[-1].text == "SNIP at 36\N{EN DASH}48.8 %: not compared, " + why + "."


def test_the_seeds_wanted_are_those_of_the_nearest_and_of_all(make_record: Callable[..., dict]) -> None:
    frame = curve(make_record, dict(zip(RATIOS, (0.4, 0.1, 0.4, 0.4, 0.4, 0.4), strict=True)), spread=0.6)
    summary = summarise(frame)
    (answer,) = assemble(frame, summary).answers
    ((_, (undecided,)),) = answer.findings
    found = re.search(r"about (\d+) seeds would settle the clearest one, about (\d+) seeds all\.", undecided.text)
    assert found is not None
    needed = [cell.comparison.seeds_needed for cell in summary.cells if cell.comparison]
    assert tuple(map(int, found.groups())) == (min(needed), max(needed))


def test_a_check_that_lacks_some_of_many_ratios_says_which(make_record: Callable[..., dict]) -> None:
    frame = curve(make_record, dict.fromkeys(RATIOS, 0.1))
    more = frame[frame["check"] == "reinit"].assign(check="invert")
    gone = more["ratio"].isin(RATIOS[2:4])
    more.loc[gone, ["last_test_accuracy", "best_test_accuracy"]] = math.nan
    more.loc[gone, "status"] = "missing"
    frame = pd.concat([frame, more])
    (answer,) = assemble(frame, summarise(frame)).answers
    ((_, (_, (_, missing))),) = answer.rows
    assert (missing.verdict, missing.text) == ("missing", "48.8\N{EN DASH}59 %")


def test_no_cell_is_lost_when_ratios_are_folded(make_record: Callable[..., dict]) -> None:
    frame = curve(make_record, dict.fromkeys(RATIOS, 0.4), spread=0.6)
    frame.loc[(frame["ratio"] == RATIOS[2]) & (frame["check"] == "reinit"), "status"] = "diverged"
    gone = (frame["ratio"] == RATIOS[5]) & (frame["check"] == "reinit")
    frame.loc[gone, ["last_test_accuracy", "best_test_accuracy"]] = math.nan
    frame.loc[gone, "status"] = "missing"
    (answer,) = assemble(frame, summarise(frame)).answers
    assert [label for label, _ in answer.rows] == ["SNIP 73.8 %", "SNIP, 5 ratios"]
    ((_, (missing, undecided)),) = answer.findings
    assert missing.text == (
        "SNIP at 73.8 %: re-initialising the whole network under the same mask has not been compared: no run is there."
    )
    assert "(estimates +0.40 points); only a change of " in undecided.text
    assert "; about 30 seeds would settle each." in undecided.text
    assert undecided.text.endswith(" Note: runs with it diverged (counted as chance) at 1 of these ratios.")


@pytest.mark.parametrize(
    ("ratios", "every", "text"),
    [
        ([0.98], [0.9, 0.95, 0.98], "98 %"),
        ([0.9785], [0.9785], "97.85 %"),
        ([0.9, 0.98], [0.9, 0.95, 0.98], "90 and 98 %"),
        ([0.98, 0.9, 0.95], [0.9, 0.95, 0.98], "90\N{EN DASH}98 %"),
        ([0.9990001], [0.9990001, 0.9990002], "99.90001 %"),
        ([0.9996], [*RATIOS, 0.9996], "99.96 %"),
        ([RATIOS[5]], RATIOS[3:], "73.7856 %"),
        (RATIOS[:1] + RATIOS[3:], RATIOS, "20 and 59\N{EN DASH}73.8 %"),
    ],
)
def test_several_ratios_are_written_as_ranges(ratios: list[float], every: list[float], text: str) -> None:
    assert percents(ratios, every) == text


def test_a_comparison_with_a_broken_control_is_marked(make_record: Callable[..., dict]) -> None:
    rows = [make_record("snip", check, 0.9, seed, 90.0 + seed) for check in ("none", "reinit") for seed in range(3)]
    rows[0] |= {"status": "diverged", "last_test_accuracy": None, "classes": 10}
    frame = pd.DataFrame(rows)
    (answer,) = assemble(frame, summarise(frame)).answers
    (((_, ((entry,),))),) = answer.rows
    assert entry.note == "1 note on this comparison"
