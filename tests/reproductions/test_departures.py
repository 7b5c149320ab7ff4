"""How a report's title says what is not as published."""

import pytest

from reproductions.departures import in_words


@pytest.mark.parametrize(
    ("departure", "words"),
    [
        ("recipe.epochs=100", "100 epochs"),
        ("recipe.epochs=1", "1 epoch"),
        ("recipe.milestones=46.2962963,92.5925926", "learning rate lowered after epochs 46.3 and 92.59"),
        ("recipe=lee2019_code", "recipe lee2019_code"),
        ("recipe.cut_off=0.5", "cut off 0.5"),
        ("snip.examples=64", "snip examples 64"),
        ("data set digits for mnist", "data set digits for mnist"),
    ],
)
def test_a_departure_is_told_in_words(departure: str, words: str) -> None:
    assert in_words([departure]) == words


def test_several_are_told_with_commas() -> None:
    assert in_words(["recipe.epochs=3", "init=glorot"]) == "3 epochs, initialisation glorot"
