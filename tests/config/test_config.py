"""Keys of the command line: parsed once into parts and options, with bounds and ranges."""

from typing import Any

import pytest

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


@pytest.mark.parametrize("seeds", ["3-0", "0-99999999999", "0-", "-3", "0-1-2"])
def test_a_range_that_is_none_is_one_line(seeds: str) -> None:
    with pytest.raises(UserError, match="seeds") as caught:
        from_mapping({"seeds": seeds})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("margin", ["inf", "1e400", "nan", "0", "-1", "101"])
def test_a_margin_has_bounds(margin: str) -> None:
    with pytest.raises(UserError, match=f"margin={margin}: should be"):
        from_mapping({"margin": margin})
