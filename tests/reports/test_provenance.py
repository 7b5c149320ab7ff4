"""How it was run: the commands that trained the records first, then what made the report of them."""

import json
from pathlib import Path

import pandas as pd

import reports
from reports.provenance import entries

SNIP, GRASP = "python -m sanity.run methods=snip", "python -m sanity.run methods=grasp"


def test_a_report_shows_what_trained_its_records_before_what_made_it(frame: pd.DataFrame, tmp_path: Path) -> None:
    rebuilt = "python -m reports results"
    files = reports.write(frame, tmp_path, command=rebuilt, trained_by=[SNIP, GRASP], formats=["md", "html", "json"])
    for name in ("md", "html"):
        text = files[name].read_text()
        assert 0 < text.index(SNIP) < text.index(GRASP) < text.index(rebuilt)
    provenance = json.loads(files["json"].read_text())["provenance"]
    assert list(provenance)[:2] == ["trained by", "report made by"]
    assert provenance["trained by"].splitlines() == [SNIP, GRASP]


def test_what_was_not_overridden_is_no_line(frame: pd.DataFrame) -> None:
    assert "overrides" not in dict(entries(frame.assign(overrides="")))
    some = ["recipe.lr=0.1"] + [""] * (len(frame) - 1)
    assert dict(entries(frame.assign(overrides=some)))["overrides"].startswith("recipe.lr=0.1 (1 runs), none (")
