"""The page of the checks lists every check of ours, and none that there is not."""

import re
from pathlib import Path

import checks

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


def test_the_page_lists_every_check_once() -> None:
    ours = [name for name in checks.REGISTRY.names() if checks.REGISTRY.load(name).__module__.startswith("checks.")]
    listed = re.findall(r"^\| `(\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted([*listed, "none"]) == sorted(ours)
