"""No sentence, note or heading stands twice on one page."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reports

MEASURED = Path(__file__).parents[2] / "reproductions" / "measured"
SHORT = 25  # characters: names and numbers may come again


def pieces(page: str) -> list[str]:
    """Headings, captions and sentences of a Markdown report; no tables, pictures or commands."""
    text = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not re.match(r"\||!\[", line)]
    whole = [line.lstrip("# ") for line in lines if line.startswith("#")]
    for line in lines:
        if not line.startswith("#"):
            bare = re.sub(r"^- (\S+ )?|</?\w+>", "", line)
            whole += [part for part in re.split(r"(?<=[a-z)])[.:;] (?=[A-Z*])", bare) if len(part) > SHORT]
    return [piece.strip(" .*:") for piece in whole]


def repeated(page: str) -> list[str]:
    return [piece for piece, count in Counter(pieces(page)).items() if count > 1]


def test_a_repetition_would_be_seen() -> None:
    line = "Random pruning is as good as the dense network here."
    assert repeated(f"# A heading\n\n{line}\n\n- ! {line} More.\n\n## A heading\n") == ["A heading", line.rstrip(".")]


@pytest.mark.parametrize("folder", sorted(path.name for path in MEASURED.iterdir() if path.is_dir()))
def test_no_measured_report_repeats_itself(folder: str) -> None:
    assert not repeated((MEASURED / folder / "report.md").read_text(encoding="utf-8"))


def test_the_report_of_one_comparison_does_not_repeat_itself(make_record: Callable[..., dict], tmp_path: Path) -> None:
    rows = [
        make_record("grasp", check, 0.98, seed, 98.0 + (seed % 3) / 10 + (check != "none") * (seed % 2) / 10)
        for check in ("none", "layerwise_rearrange") for seed in range(10)
    ]  # fmt: skip
    page = reports.Report(pd.DataFrame(rows)).write(tmp_path, formats=["md"])["md"].read_text(encoding="utf-8")
    assert len(pieces(page)) > 20
    assert not repeated(page)
