"""Records of a check that is not ours hold what it says of itself; those of ours hold nothing more than before."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import checks
from sanity.grid.cells import Cell
from sanity.grid.record import _words

CODE = """
from checks.base import Check


class Halved(Check):
    keeps = "the mask"
    destroys = "the scale of the weights"
"""


def test_only_other_peoples_checks_bring_their_words(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(CODE, encoding="utf-8")
    theirs = f"{tmp_path / 'own.py'}:Halved"
    parts: dict[str, Any] = {"reinit": checks.get("reinit"), theirs: checks.get(theirs)}

    def said(*names: str) -> dict[str, Any]:
        check = SimpleNamespace(build_parts=lambda: {name: parts[name] for name in names})
        return _words(cast("Cell", SimpleNamespace(check=check)))

    assert said("reinit") == {}
    assert said("reinit", theirs) == {
        "check_words": {theirs: {"keeps": "the mask", "destroys": "the scale of the weights"}}
    }
