"""Durations: two units at most, and never longer than what they say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanity.console.durations import duration

SECONDS = {"d": 86400, "h": 3600, "min": 60, "s": 1}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.25, "3.2 s"),
        (42, "42 s"),
        (200, "3 min 20 s"),
        (59.7, "1 min"),
        (3600, "1 h"),
        (18720, "5 h 12 min"),
        (183600, "2 d 3 h"),
        (math.nan, "unknown"),
    ],
)
def test_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.integers(10, 10**8))
def test_the_two_largest_units_are_right_but_for_less_than_the_smaller(seconds: int) -> None:
    words = duration(seconds).split()
    units = [SECONDS[unit] for unit in words[1::2]]
    told = sum(int(count) * unit for count, unit in zip(words[::2], units, strict=True))
    assert len(units) <= 2
    assert 0 <= seconds - told < units[-1]
