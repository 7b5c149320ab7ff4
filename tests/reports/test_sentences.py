"""The wording: careful in every verdict, and readable for a check that the suite has never heard of."""

import math
from collections.abc import Callable

import pandas as pd
import pytest

from reports.numbers import method_name, percents
from reports.sentences import notes, overview, phrase, sentence
from reports.statistics import Cell, Comparison, Mean, Summary


def summary_of(verdict: str, mean: float = -0.1, half: float = 0.2, n: int = 5, check: str = "layerwise_rearrange",
               seeds_needed: float = math.nan) -> Summary:  # fmt: skip
    comparison = Comparison(Mean(n, mean, 0.1, half), verdict, seeds_needed=seeds_needed)
    key = ("cifar10", "resnet32", "su2020", "grasp")
    control = Cell(*key, check="none", ratio=0.98, seeds=(0,), accuracy=Mean(n, 90.0, 0.1, 0.1))
    cell = Cell(*key, check=check, ratio=0.98, seeds=(0,), accuracy=Mean(n, 89.9, 0.1, 0.1), comparison=comparison)
    return Summary((control, cell), "last", 0.5, 0.05, 1)


def told(*arguments: object, **options: object) -> str:
    summary = summary_of(*arguments, **options)  # type: ignore[arg-type]
    return sentence([summary.cells[1]], summary)


def test_equivalent() -> None:
    assert told("equivalent") == (
        "GraSP at 98 %: rearranging the mask within layers changed accuracy by "
        "\N{MINUS SIGN}0.10 ± 0.20 points (n = 5): which weights are kept inside a layer "
        "does not matter (equivalent within 0.5 points)."
    )


def test_different_claims_no_more_than_that_it_matters() -> None:
    assert told("different", -2.13, 0.4).endswith(
        "by \N{MINUS SIGN}2.13 ± 0.40 points (n = 5): which weights are kept inside a layer matters."
    )


def test_undecided_names_the_seeds_or_why_they_are_unknown() -> None:
    assert told("undecided", seeds_needed=12).endswith("undecided, about 12 seeds would decide it.")
    assert told("undecided", seeds_needed=math.inf).endswith("more than 1,000 seeds would decide it.")
    alone = told("undecided", half=math.nan, n=1)
    assert "by \N{MINUS SIGN}0.10 points (n = 1)" in alone
    assert "at least 2 are needed" in alone


def test_identical_says_what_follows() -> None:
    assert told("identical", 0.0, check="random_labels").endswith(
        "so nothing can differ: the search does not use the labels."
    )


def test_missing_is_said() -> None:
    assert "has not been compared" in told("missing", math.nan, math.nan, 0)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("snip", "SNIP"),
        ("snip@lee2019", "SNIP@lee2019"),
        ("snip@lee2019[biases=never]", "SNIP@lee2019 [biases=never]"),
        ("mine:Method@x", "mine:Method@x"),
    ],
)
def test_methods_are_written_as_their_papers_do(label: str, name: str) -> None:
    assert method_name(label) == name


@pytest.mark.parametrize("check", ["their_check", "their_check+reinit"])
def test_an_unknown_check_is_named(check: str) -> None:
    assert f"the check '{check}' changed accuracy by" in told("different", check=check)
    assert told("different", check=check).endswith("what it destroys matters.")


def test_a_composition_of_known_checks_is_put_together() -> None:
    both = phrase("random_labels+random_pixels")
    assert both.action == "searching with random labels and searching with shuffled pixels"
    assert both.identical == "the search does not use the labels or the images"
    assert "search does not" not in phrase("random_labels+reinit").identical


def test_every_finding_of_a_grid_is_a_sentence_and_weak_ones_carry_a_note(frame: pd.DataFrame) -> None:
    from reports.statistics import summarise

    summary = summarise(frame)
    sentences = {(c.method, c.check, c.ratio): sentence([c], summary) for c in summary.cells if c.comparison}
    assert all(text.endswith(".") and "nan" not in text for text in sentences.values())
    assert "1 of 5 runs with it diverged" in sentences["grasp", "reinit", 0.95]
    assert "2 of 5 tickets without it empty a layer" in sentences["snip[score_init=glorot]", "reinit", 0.98]
    assert overview(summary).startswith(f"{len(sentences)} comparisons with the unperturbed ticket: 3 identical, ")


def test_notes_name_what_is_wrong_with_a_cell(make_record: Callable[..., dict]) -> None:
    from reports.statistics import summarise

    row = make_record("grasp", "none", 0.98, 0, 10.0, status="diverged", diverged_epoch=2,
                      collapsed=["conv1.weight", "fc"],
                      actual_ratio=0.97, effective_density=0.01)  # fmt: skip
    (cell,) = summarise(pd.DataFrame([row])).cells
    assert notes(cell) == [
        "1 of 1 runs diverged (seed 0)",
        "1 of 1 tickets with an empty layer: conv1, fc",
        "ratio is 97 %, not 98 %",
    ]
    (cell,) = summarise(pd.DataFrame([row | {"collapsed": []}])).cells
    assert notes(cell)[-1] == "only 1 % of the weights lie on a path to the output"


def beside_paper(make_record: Callable[..., dict], **paper: object) -> pd.DataFrame:
    """Two runs of ours at 96 % and one cell without a run, each beside a printed number."""
    printed = {
        "paper_mean": 98.4,
        "paper_std": math.nan,
        "paper_n": 20,
        "paper_metric": "unstated",
        "paper_source": "T1",
    }
    rows = [make_record("snip", "none", 0.95, seed, 96.0 + 0.1 * seed, **printed | paper) for seed in range(2)]
    gone = make_record("snip", "none", 0.98, 0, math.nan, status="missing", best_test_accuracy=math.nan, **printed)
    return pd.DataFrame([*rows, gone])


def test_the_first_sentences_say_how_the_papers_numbers_fared(make_record: Callable[..., dict]) -> None:
    from reports.statistics import summarise

    said = overview(summarise(beside_paper(make_record)))
    assert said.startswith("No check is part of these results")
    assert "Of 2 printed numbers, 1 can be compared with ours; 0 of 1 lie inside our interval" in said
    assert said.endswith("Ours minus the paper's: \N{MINUS SIGN}2.35 points.")
    assert "1 of 1 lie inside" in overview(summarise(beside_paper(make_record, paper_mean=96.1)))


def test_a_table_shows_no_column_that_says_nothing(make_record: Callable[..., dict]) -> None:
    from reports.content import assemble
    from reports.statistics import summarise

    frame = beside_paper(make_record)
    cells, papers = assemble(frame, summarise(frame)).tables
    assert cells.columns == ("method", "ratio", "check", "accuracy, %", "kept", "notes")
    others = [row[papers.columns.index("delta of the other")].text for row in papers.rows]
    assert others == ["\N{MINUS SIGN}2.05 (best)", ""]
    stated = beside_paper(make_record, paper_metric="best").iloc[:2]
    assert "delta of the other" not in assemble(stated, summarise(stated)).tables[1].columns


def test_ratios_without_any_run_are_folded_into_one_line_of_the_answer(make_record: Callable[..., dict]) -> None:
    from reports.content import assemble
    from reports.statistics import summarise

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
    assert len(content.tables[0].rows) == 6  # the table itself folds nothing


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
    from reports.content import assemble
    from reports.statistics import summarise

    frame = curve(make_record, dict(zip(RATIOS, (0.1, -0.2, 0.0, -9.0, 0.1, -8.0), strict=True)))
    (answer,) = assemble(frame, summarise(frame)).answers
    ((label, ((equivalent, different),)),) = answer.rows
    assert label == "SNIP, 6 ratios"
    assert (equivalent.verdict, different.verdict) == ("equivalent", "different")
    assert equivalent.text == "20\N{EN DASH}48.8 and 67.2 %: \N{MINUS SIGN}0.20 to +0.10 (± 0.12 at most)"
    assert different.text == "59 and 73.8 %: \N{MINUS SIGN}9.00 to \N{MINUS SIGN}8.00 (± 0.12 at most)"
    ((_, (first, _)),) = answer.findings
    assert first.text == (
        "SNIP at 20\N{EN DASH}48.8 and 67.2 %: drawing the kept weights anew changed accuracy by \N{MINUS SIGN}0.20 to "
        "+0.10 points (± 0.12 at most, n = 3): the values that the kept weights start from do not matter (equivalent "
        "within 0.5 points)."
    )


def test_a_check_that_lacks_some_of_many_ratios_says_which(make_record: Callable[..., dict]) -> None:
    from reports.content import assemble
    from reports.statistics import summarise

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
    from reports.content import assemble
    from reports.statistics import summarise

    frame = curve(make_record, dict.fromkeys(RATIOS, 0.4), spread=0.6)
    frame.loc[(frame["ratio"] == RATIOS[2]) & (frame["check"] == "reinit"), "status"] = "diverged"
    gone = (frame["ratio"] == RATIOS[5]) & (frame["check"] == "reinit")
    frame.loc[gone, ["last_test_accuracy", "best_test_accuracy"]] = math.nan
    frame.loc[gone, "status"] = "missing"
    (answer,) = assemble(frame, summarise(frame)).answers
    assert [label for label, _ in answer.rows] == ["SNIP 73.8 %", "SNIP, 5 ratios"]
    ((_, (missing, undecided)),) = answer.findings
    assert missing.text == "SNIP at 73.8 %: drawing the kept weights anew has not been compared: no run of it is there."
    assert "seeds would decide the nearest of them, about" in undecided.text
    assert undecided.text.endswith(" Note: the table has notes on 1 of these 5 ratios.")


@pytest.mark.parametrize(
    ("ratios", "every", "text"),
    [
        ([0.98], [0.9, 0.95, 0.98], "98 %"),
        ([0.9785], [0.9785], "97.85 %"),
        ([0.9, 0.98], [0.9, 0.95, 0.98], "90 and 98 %"),
        ([0.98, 0.9, 0.95], [0.9, 0.95, 0.98], "90\N{EN DASH}98 %"),
        ([0.9990001], [0.9990001, 0.9990002], "99.90001 %"),
        (RATIOS[:1] + RATIOS[3:], RATIOS, "20 and 59\N{EN DASH}73.8 %"),
    ],
)
def test_several_ratios_are_written_as_ranges(ratios: list[float], every: list[float], text: str) -> None:
    assert percents(ratios, every) == text
