"""Comparisons whose answer is known: which came out as they must, and what is said of those that did not."""

import io
from collections.abc import Callable

import pandas as pd
import pytest

from reports import Report
from reports.content import assemble
from reports.controls import controls, verdict_on_controls
from reports.overview import notes
from reports.statistics import Summary, summarise

Record = Callable[..., dict]
BASE = [90.0, 90.2, 89.9, 90.1]
ALIKE, LOWER, HIGHER = [0.05, -0.05, 0.02, 0.0], [-8.0, -8.2, -7.9, -8.1], [8.0, 8.2, 7.9, 8.1]
WIDE = [3.0, -3.0, 2.0, -1.5]


def rows(make_record: Record, moved: list[float], predicted: object, **values: object) -> list[dict]:
    """The records of one check that moves accuracies so, of which this is predicted."""
    control = [make_record("blind", "none", 0.9, seed, accuracy) for seed, accuracy in enumerate(BASE)]
    return control + [
        make_record("blind", "layerwise_rearrange", 0.9, seed, accuracy + by, **{"predicted": predicted, **values})
        for seed, (accuracy, by) in enumerate(zip(BASE, moved, strict=True))
    ]


def compared(make_record: Record, moved: list[float], predicted: object, **values: object) -> Summary:
    return summarise(pd.DataFrame(rows(make_record, moved, predicted, **values)))


@pytest.mark.parametrize(
    ("moved", "predicted", "values", "state"),
    [
        ([0.0] * 4, "identical", {"identical_to_none": True}, "held"),
        ([0.0] * 4, "identical", {}, "failed"),
        (LOWER, "identical", {}, "failed"),
        (ALIKE, "same function", {"function_gap": 3e-16}, "held"),
        (WIDE, "same function", {"function_gap": 3e-16}, "held"),
        (ALIKE, "same function", {"function_gap": 1e-3}, "failed"),
        (LOWER, "same function", {"function_gap": 3e-16}, "failed"),
        (ALIKE, "same function", {}, "open"),
        (LOWER, "null", {}, "failed"),
        (HIGHER, "better", {}, "held"),
        (LOWER, "better", {}, "failed"),
        (ALIKE, "better", {}, "failed"),
        (WIDE, "better", {}, "open"),
    ],
)
def test_found_is_held_against_predicted(
    make_record: Record, moved: list[float], predicted: str, values: dict[str, object], state: str
) -> None:
    summary = compared(make_record, moved, predicted, **values)
    assert [control.state for control in controls(summary)] == [state]
    note = " ".join(notes(summary.cells[1]))
    assert (("predicted" in note) or ("should be equal" in note)) == (state == "failed")


@pytest.mark.parametrize("predicted", [None, "open"])
def test_where_nothing_is_known_nothing_is_said(make_record: Record, predicted: object) -> None:
    summary = compared(make_record, LOWER, predicted)
    assert not controls(summary)
    assert not verdict_on_controls(summary)


def test_the_first_sentences_count_the_controls(make_record: Record) -> None:
    content = assemble(pd.DataFrame(rows(make_record, HIGHER, "better")), compared(make_record, HIGHER, "better"))
    assert content.trust[0].text == "Controls: 1 of 1 came out as they must (1 better)."
    assert content.trust[0].state == "good"
    failed = verdict_on_controls(compared(make_record, LOWER, "better"))
    assert failed.startswith("Controls: 0 of 1")
    assert "NOT as it must be, 1 control: Blind layerwise_rearrange 90 %" in failed
    still_open = verdict_on_controls(compared(make_record, WIDE, "better"))
    assert still_open.startswith("None contradicted, 1 control still open")
    other = [row | {"ratio": 0.5} for row in rows(make_record, WIDE, "better")]
    both = summarise(pd.DataFrame(rows(make_record, HIGHER, "better") + other))
    assert "Nothing contradicts the rest, 1 control" in verdict_on_controls(both)


@pytest.mark.parametrize("predicted", ["null", "better"])
def test_a_control_whose_tickets_learn_nothing_is_not_said_to_want_seeds(make_record: Record, predicted: str) -> None:
    records = [{**row, "last_test_accuracy": 10.0, "classes": 10} for row in rows(make_record, ALIKE, predicted)]
    told = verdict_on_controls(summarise(pd.DataFrame(records)))
    assert "too few" not in told
    assert "Nothing can be seen of 1 control" in told


@pytest.mark.parametrize(
    ("moved", "phrases"), [(HIGHER, ["Controls: 1 of 1", "as predicted"]), (LOWER, ["NOT as it must be", "predicted:"])]
)
def test_the_terminal_says_how_the_controls_came_out_and_marks_each(
    make_record: Record, moved: list[float], phrases: list[str]
) -> None:
    page = io.StringIO()
    Report(pd.DataFrame(rows(make_record, moved, "better"))).show(page)
    text = page.getvalue().replace("\n", " ")
    assert all(word in text for phrase in phrases for word in phrase.split())
