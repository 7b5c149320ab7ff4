"""The answer over many methods, sparsities and checks: what was found, by how much, and what stays open."""

import re
from collections.abc import Callable

import pandas as pd
import pytest

from reports.lead import lead
from reports.statistics import summarise
from reports.text import say
from tests.reports.every_case import panel, together

Record = Callable[..., dict]


def answer(frame: pd.DataFrame) -> list[str]:
    return [*lead(summarise(frame))]


def test_over_several_checks_the_first_sentence_says_what_the_tickets_depend_on(make_record: Record) -> None:
    moved = {"snip": ["none", "effect"], "grasp": ["none", "likely"], "synflow": ["none", "none"]}
    nothing = {method: ["none", "none"] for method in moved}
    whole, invert, reinit = answer(together(panel(make_record, nothing), panel(make_record, moved, "invert")))
    assert whole == (
        "The tickets depend on whether the highest or the lowest scores are kept (SNIP at 55 % sparsity; probably also "
        "GraSP). Not on the values that the network starts from: any effect on accuracy is smaller than 0.5 points."
    )
    assert invert.startswith("Keeping the lowest scores instead of the highest costs SNIP 8.13 points at 55 % sparsity")
    assert "It probably costs GraSP 0.90 points at 55 % sparsity" in invert
    assert "by less than 0.5 points in 4 of 6 comparisons, among them all at 50 % sparsity" in invert
    assert "all 3 methods at every sparsity by less than 0.5 points" in reinit


def test_over_one_check_the_question_is_answered_by_yes_no_or_not_settled(make_record: Record) -> None:
    for kind, start in (
        ("effect", "Yes: re-initialising the whole network under the same mask costs both methods 8.13 points"),
        ("gain", "Yes: re-initialising the whole network under the same mask gains both methods 8.13 points"),
        ("likely", "Probably: re-initialising the whole network under the same mask probably costs both methods 0.90"),
        ("none", "No: re-initialising the whole network under the same mask changes the accuracy of both methods"),
        ("identical", "No: re-initialising the whole network under the same mask leaves the ticket of both methods"),
        ("small", "Little or not at all: re-initialising"),
        ("open", "Not settled: 3 seeds cannot tell what re-initialising the whole network under the same mask does"),
        ("missing", "No runs tell yet: "),
    ):
        (said,) = answer(panel(make_record, {"snip": [kind] * 2, "grasp": [kind] * 2}))
        assert said.startswith(start), kind


def test_some_methods_are_not_said_to_be_all(make_record: Record) -> None:
    (said,) = answer(panel(make_record, {"snip": ["effect", "none"], "grasp": ["none", "none"]}))
    assert said.startswith(
        "Yes, of 1 of 2: re-initialising the whole network under the same mask costs SNIP 8.13 points"
    )
    effects = {"snip": ["effect", "none"], "grasp": ["none", "effect"]}
    whole, *_ = answer(together(panel(make_record, effects), panel(make_record, effects, "invert")))
    assert "(both methods at some sparsities)" in whole  # neither at every one


@pytest.mark.parametrize("method", ["mine:Scaled", "adapter.py:find", "ours/scaled.py:Scaled[power=1]"])
def test_a_name_that_begins_a_sentence_stays_as_it_is_found(make_record: Record, method: str) -> None:
    cases = {method: ["effect", "none"]}
    whole, *_ = answer(together(panel(make_record, cases), panel(make_record, cases, "invert")))
    assert re.split(r"'s |\[", whole)[0] == method.partition("[")[0]
    (said,) = answer(panel(make_record, {method: ["identical", "none"]}, "x.py:Mine"))
    assert said.startswith("No: the check 'x.py:Mine'")


def test_one_of_a_thing_is_no_plural(make_record: Record) -> None:
    checks = ("reinit", "invert", "random_labels", "random_pixels", "rewire")
    whole, *_ = answer(together(*(panel(make_record, {"snip": ["effect"] * 2}, check) for check in checks)))
    assert "1 other (see the table)" in whole
    one = pd.DataFrame([make_record("snip", check, 0.9, 0, 90.0) for check in ("none", "reinit")])
    assert answer(one)[0].startswith("Not settled: 1 seed cannot tell")
    assert say("lead.other_things", count=21) == "21 others (see the table)"


def test_what_stays_open_is_counted_and_named(make_record: Record) -> None:
    cases = {"snip": ["none", "open"], "grasp": ["none", "none"]}
    whole, *numbers = answer(together(panel(make_record, cases), panel(make_record, cases, "invert")))
    assert whole.endswith("2 of the 8 comparisons cannot be decided with these seeds.")
    assert all(
        "3 seeds cannot tell what it does in 1 of 4 comparisons: SNIP at 55 % sparsity" in one for one in numbers
    )


def test_the_numbers_are_those_of_the_comparisons(make_record: Record) -> None:
    frame = panel(make_record, {"snip": ["effect"], "grasp": ["effect"]})
    cells = [cell.comparison for cell in summarise(frame).cells if cell.comparison]
    ends = [-end for one in cells for end in (one.low, one.high)]
    (said,) = answer(frame)
    assert f"(intervals within {min(ends):.2f} to {max(ends):.2f}, 3 seeds)" in said


def test_an_action_with_an_aside_stays_a_sentence(make_record: Record) -> None:
    for check in ("density_of", "layer_order"):
        (said,) = answer(panel(make_record, {"snip": ["effect"] * 2}, check))
        assert said.startswith("Yes: drawing the mask at random with the layer")
        assert "," not in said.partition(" costs SNIP ")[0]
