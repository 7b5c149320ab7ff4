"""Pages of text are folded to the terminal's width and lose nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanity.cli.help import page
from sanity.console.pages import folded

WORDS = st.lists(st.text("abc-=.,", min_size=1, max_size=12), max_size=30).map(" ".join)
LINES = st.lists(st.tuples(st.sampled_from(["", "  ", "      ", "  key    "]), WORDS).map("".join), max_size=8)


@given(LINES, st.integers(40, 100))
def test_no_line_is_wider_and_no_word_is_lost(lines: list[str], width: int) -> None:
    text = "\n".join(lines)
    assert all(len(line) <= width for line in folded(text, width).split("\n"))
    assert folded(text, width).split() == text.split()


@given(LINES)
def test_what_fits_stays_as_it_is(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert folded(text, 1000) == text


def test_an_item_goes_on_below_its_description_and_a_paragraph_flows() -> None:
    text = "A line that is longer than forty columns, which\nflows on into the next.\n\n"
    text += "  key    what it says is said in many words and more"
    assert folded(text, 40).split("\n") == [
        "A line that is longer than forty", "columns, which flows on into the next.", "",
        "  key    what it says is said in many", "         words and more",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("words", [["--help"], ["--help", "snip"], ["reproductions=list"], ["--help", "cifar10"]])
def test_help_fits_a_terminal(words: list[str], width: int) -> None:
    text = page(words)
    assert max(map(len, folded(text, width).split("\n"))) <= width
    assert "".join(folded(text, width).split()) == "".join(text.split())
