"""The reference shows `name: text` lines as a list and leaves everything else as it was written."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "docs" / "griffe_fields.py"


@pytest.fixture
def as_list(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The function by itself: griffe comes with the extra `docs`, which tests do without."""
    griffe = ModuleType("griffe")
    griffe.__dict__.update(Extension=object, Object=object)
    monkeypatch.setitem(sys.modules, "griffe", griffe)
    function: Callable[[str], str] = runpy.run_path(str(FILE))["as_list"]
    return function


def test_fields_become_items_with_their_further_lines(as_list: Callable[[str], str]) -> None:
    text = "First line.\n\nkeeps, destroys: two names,\n    and a second line.\npower: the exponent."
    expected = "First line.\n\n\n- `keeps, destroys`: two names,\n    and a second line.\n- `power`: the exponent."
    assert as_list(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Formula: score = |w|, a sentence of its own.",
        "Does it.\n\nArgs:\n    power: the exponent.\n",
        "See https://example.org.",
    ],
)
def test_other_lines_stay_as_they_are(as_list: Callable[[str], str], text: str) -> None:
    assert as_list(text) == text.rstrip("\n")
