"""Keys of the command line: parsed once into parts and options, with bounds and ranges."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanity.config import from_mapping, nested
from sanity.errors import UserError


def test_the_part_of_a_dotted_key_ends_at_its_last_dot() -> None:
    keys = {"ratio": "0.9", "package.module:Check.by": "3", "recipe.epochs": 2, "recipe.lr": 0.1}
    assert nested(keys) == {
        "ratio": "0.9",
        "options": {"package.module:Check": {"by": "3"}, "recipe": {"epochs": 2, "lr": 0.1}},
    }
    assert nested(nested(keys)) == nested(keys)


@pytest.mark.parametrize("bad", [{"options": 3}, {"options": "{}"}, {"options": {"snip": 3}}, {".by": 1}, {"snip.": 1}])
def test_options_of_another_form_are_one_line(bad: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="should be") as caught:
        nested(bad)
    assert "\n" not in str(caught.value)


def test_seeds_may_be_a_range() -> None:
    assert from_mapping({"seeds": "0-3,7"}).seeds == (0, 1, 2, 3, 7)
    assert from_mapping({"reproduction": "lee2019_table1", "seeds": "4-4"}).seeds == (4,)


@pytest.mark.parametrize(
    ("text", "seeds"), [("0:3", (0, 1, 2)), ("0", (0,)), ("1", (1,)), ("28-28", (28,)), ("28,29", (28, 29))]
)
def test_a_range_may_be_pythons_and_one_seed_alone_is_one(text: str, seeds: tuple[int, ...]) -> None:
    assert from_mapping({"seeds": text}).seeds == seeds


def test_a_single_number_of_seeds_is_asked_about_where_it_is_typed() -> None:
    with pytest.raises(UserError, match=r"seeds=28: 28 seeds, or seed 28 alone\? Write seeds=0-27, or seeds=28-28"):
        from_mapping({"seeds": "28"})
    assert from_mapping({"seeds": 28}).seeds == (28,)


@given(first=st.integers(1, 400), count=st.integers(1, 90), step=st.integers(1, 6))
def test_a_range_of_ratios_is_the_list_of_its_decimals(first: int, count: int, step: int) -> None:
    values = [number for number in range(first, first + count * step, step) if number < 1000]
    text = f"{first / 1000}:{values[-1] / 1000}:{step / 1000}"
    assert from_mapping({"ratio": text}).ratio == tuple(value / 1000 for value in values)


@pytest.mark.parametrize(
    "ratio", ["0.5:0.9", "0.9:0.5:0.1", "0.5:0.9:0", "0.5:0.9:-0.1", "a:b:c", "0.5:0.9:1e-9", "nan:1:1"]
)
def test_a_range_of_ratios_that_is_none_is_one_line(ratio: str) -> None:
    with pytest.raises(UserError, match="a range ") as caught:
        from_mapping({"ratio": ratio})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seeds", ["3-0", "0-99999999999", "0-", "-3", "0-1-2", "3:3", "0:1:2"])
def test_a_range_that_is_none_is_one_line(seeds: str) -> None:
    with pytest.raises(UserError, match="seeds") as caught:
        from_mapping({"seeds": seeds})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("margin", ["inf", "1e400", "nan", "0", "-1", "101"])
def test_a_margin_has_bounds(margin: str) -> None:
    with pytest.raises(UserError, match=f"margin={margin}: should be"):
        from_mapping({"margin": margin})
