"""The wording: careful in every verdict, and readable for a check that the suite has never heard of."""

import math
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

import checks
from reports import inference
from reports.comparisons import Comparison, Mean
from reports.lead import lead
from reports.overview import notes, overview
from reports.phrases import phrase
from reports.sentences import outlook, sentence
from reports.statistics import Cell, Summary, summarise
from reports.wording import method_name


def summary_of(verdict: str, mean: float = -0.1, half: float = 0.2, n: int = 5, check: str = "layerwise_rearrange",
               seeds_needed: float = math.nan) -> Summary:  # fmt: skip
    low, high = inference.interval(mean, 0.1, n, 0.05, 1 if verdict == "equivalent" else 2)
    comparison = Comparison(Mean(n, mean, 0.1, half), verdict, seeds_needed=seeds_needed)
    if not math.isnan(half):
        comparison = replace(comparison, low=low, high=high, confidence=0.9 if verdict == "equivalent" else 0.95)
    key = ("cifar10", "resnet32", "su2020", "grasp")
    control = Cell(*key, check="none", ratio=0.98, seeds=(0,), accuracy=Mean(n, 90.0, 0.1, 0.1))
    cell = Cell(*key, check=check, ratio=0.98, seeds=(0,), accuracy=Mean(n, 89.9, 0.1, 0.1), comparison=comparison)
    return Summary((control, cell), "last", 0.5, 0.05)


def told(*arguments: object, **options: object) -> str:
    summary = summary_of(*arguments, **options)  # type: ignore[arg-type]
    return sentence([summary.cells[1]], summary)


def test_equivalent_gives_the_interval_that_decided() -> None:
    assert told("equivalent") == (
        "GraSP at 98 %: rearranging the mask within each layer changed accuracy by less than 0.5 points "
        "(estimate \N{MINUS SIGN}0.10, 90 % interval \N{MINUS SIGN}0.20 to 0.00, n = 5), "
        "and a change of 0.20 points or more is excluded."
    )


def test_different_claims_no_more_than_that_it_matters() -> None:
    assert told("different", -2.13, 0.4).endswith(
        "changed accuracy by \N{MINUS SIGN}2.13 points (95 % interval \N{MINUS SIGN}2.25 to \N{MINUS SIGN}2.01, "
        "n = 5), so accuracy depends on which weights are kept inside a layer; "
        "a change of 2.25 points or more is excluded."
    )


def test_undecided_says_what_the_effect_could_be_and_the_seeds_that_would_settle_it() -> None:
    assert told("undecided", seeds_needed=12) == (
        "GraSP at 98 %: 5 seeds cannot tell what rearranging the mask within each layer does: the effect could be "
        "anything from \N{MINUS SIGN}0.22 to +0.02 points (estimate \N{MINUS SIGN}0.10, 95 % interval), and only a "
        "change of 0.22 points or more is excluded; about 12 seeds would settle it."
    )
    assert told("undecided", seeds_needed=math.inf).endswith("more than 1,000 seeds would settle it.")
    alone = told("undecided", half=math.nan, n=1)
    assert "by \N{MINUS SIGN}0.10 points (n = 1)" in alone
    assert "at least 2 are needed" in alone


def test_identical_says_what_follows() -> None:
    assert told("identical", 0.0, check="random_labels").endswith(
        ": on random labels the method found exactly the same ticket (5 of 5 seeds): it never looks at the labels."
    )
    assert told("identical", 0.0).endswith(
        "as it was (5 of 5 seeds): the layers that it could rearrange are dense or empty."
    )


def test_missing_is_said() -> None:
    assert "has not been compared" in told("missing", math.nan, math.nan, 0)


@pytest.mark.parametrize("accuracies", [(99.0, 99.0), (96.0, 95.5)])
def test_where_accuracies_do_not_vary_no_seeds_are_asked_for(
    make_record: Callable[..., dict], accuracies: tuple[float, float]
) -> None:
    from reports.content import assemble

    rows = [
        make_record("snip", check, 0.9, seed, accuracy)
        for check, accuracy in zip(("none", "reinit"), accuracies, strict=True)
        for seed in range(4)
    ]
    summary = summarise(pd.DataFrame(rows))
    text = sentence([summary.cells[1]], summary)
    assert "more seeds will not help where accuracies do not vary" in text
    row = assemble(pd.DataFrame(rows), summary).tables[0].rows[1]
    assert [value.note for value in row if value.verdict] == ["no spread"]


def test_where_every_run_diverged_no_seeds_are_asked_for(make_record: Callable[..., dict]) -> None:
    rows = [
        make_record("snip", check, 0.9, seed, 10 + seed * (check == "none"), status="diverged")
        for check in ("none", "reinit")
        for seed in range(3)
    ]
    summary = summarise(pd.DataFrame(rows))
    assert "every run diverged, with re-initialising" in sentence([summary.cells[1]], summary)
    assert outlook(summary.cells[1], summary) == "all diverged"


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
    assert told("different", check=check).endswith(
        "so accuracy depends on what it destroys; a change of 0.22 points or more is excluded."
    )


@pytest.mark.parametrize("check", [name for name in checks.REGISTRY.names() if name != "none"])
def test_every_check_of_the_suite_has_words_of_its_own(check: str) -> None:
    assert "the check '" not in phrase(check).action


def test_a_composition_of_known_checks_is_put_together() -> None:
    both = phrase("random_labels+random_pixels")
    assert both.action == "finding the ticket on random labels and pixels"
    assert (both.data, both.unused) == ("random labels and pixels", "the data")
    other = phrase("half_dataset+random_labels")
    assert other.action == "finding the ticket with half of the data and finding the ticket on random labels"
    assert other.unused == "the data or the labels"
    mixed = phrase("random_labels+reinit")
    assert (mixed.data, mixed.unused) == ("", "")
    assert mixed.action.endswith(" and re-initialising the whole network under the same mask")


def test_options_of_a_known_check_keep_its_words() -> None:
    half = phrase("half_dataset[which=first]")
    assert half.action == "finding the ticket with half of the data (which=first)"
    assert half.unused == phrase("half_dataset").unused
    both = phrase("random_labels+random_pixels[channels=together]")
    assert both.action == "finding the ticket on random labels and pixels (channels=together)"
    assert "check 'mine[x=1]'" in phrase("mine[x=1]").action


def test_a_plus_in_an_options_value_parts_no_check() -> None:
    assert phrase("half_dataset[seed=3e+0]").action == "finding the ticket with half of the data (seed=3e+0)"
    assert phrase("mine:Noise[sigma=3e+0]").action == "the check 'mine:Noise[sigma=3e+0]'"


def test_every_finding_of_a_grid_is_a_sentence_and_weak_ones_carry_a_note(frame: pd.DataFrame) -> None:
    summary = summarise(frame)
    sentences = {(c.method, c.check, c.ratio): sentence([c], summary) for c in summary.cells if c.comparison}
    assert all(text.endswith(".") and "nan" not in text for text in sentences.values())
    assert "1 of 5 runs with it diverged" in sentences["grasp", "reinit", 0.95]
    assert "2 of 5 tickets without it empty a layer" in sentences["snip[score_init=glorot]", "reinit", 0.98]
    assert overview(summary).startswith(f"{len(sentences)} comparisons with the unperturbed ticket: 3 identical, ")


def test_notes_name_what_is_wrong_with_a_cell(make_record: Callable[..., dict]) -> None:
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
    assert notes(cell)[-1] == "66.7 % of the kept weights are dead: 3 % are kept, but only 1 % connect input and output"


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


def test_the_answer_says_how_the_papers_numbers_fared_and_by_which_criterion(make_record: Callable[..., dict]) -> None:
    fared, criterion, rest = lead(summarise(beside_paper(make_record)))
    assert fared == "The printed number that was measured again was not reproduced: SNIP at 95 % is 2.35 points lower."
    assert "zero lies in the 95 % interval of the difference of the two means" in criterion
    assert "how many runs it made but not how they spread, ours stands for both" in criterion
    assert rest == "The other one was not run."
    inside, exact, _ = lead(summarise(beside_paper(make_record, paper_mean=96.1, paper_n=math.nan)))
    assert inside == "The printed number that was measured again was reproduced: SNIP at 95 % is 0.05 points lower."
    assert "its number is taken as exact" in exact


def test_printed_numbers_of_another_network_are_said_not_to_have_been_run(make_record: Callable[..., dict]) -> None:
    frame = beside_paper(make_record)
    frame.loc[frame["status"] == "missing", "model"] = "lenet5"
    assert [*lead(summarise(frame))][-1] == "The other one (lenet5) was not run."


def test_a_table_shows_no_column_that_says_nothing(make_record: Callable[..., dict]) -> None:
    from reports.content import assemble

    frame = beside_paper(make_record)
    cells, papers = assemble(frame, summarise(frame)).tables
    assert cells.columns == ("method", "ratio", "check", "accuracy, %", "kept")
    others = [row[papers.columns.index("delta of the other")].text for row in papers.rows]
    assert others == ["\N{MINUS SIGN}2.05 (best)"]
    stated = beside_paper(make_record, paper_metric="best").iloc[:2]
    assert "delta of the other" not in assemble(stated, summarise(stated)).tables[1].columns
