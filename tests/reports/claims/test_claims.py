"""Claims of papers: every outcome follows from the records, and the page in the docs is what they say."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reproductions
from reports.claims import declared, found, written
from reports.claims.command import main
from reports.claims.declared import Claim, Evidence
from reports.records import prepare
from reproductions import claims
from sanity.errors import UserError

ROOT = Path(reproductions.__file__).parent
PAPERS = [declared.read(name) for name in claims.names()]
RECORDS = sorted({evidence.records for paper in PAPERS for claim in paper.claims for evidence in claim.evidence})


def frame(moves: dict[str, list[float]], ratio: float = 0.9) -> pd.DataFrame:
    """Records of method "snip": accuracies of each check by seed; the key "dense" is the unpruned network."""
    rows = [
        {"dataset": "mnist", "model": "lenet5", "recipe": "quick", "seed": seed, "status": "done", "classes": 10,
         "method": "dense" if check == "dense" else "snip", "check": "none" if check == "dense" else check,
         "ratio": 0.0 if check == "dense" else ratio,
         "last_test_accuracy": accuracy, "best_test_accuracy": accuracy}
        for check, accuracies in moves.items() for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def outcome(monkeypatch: pytest.MonkeyPatch, records: pd.DataFrame | None, **named: Any) -> str:
    monkeypatch.setattr(found, "_folder", lambda _: None if records is None else prepare(records))
    claim = Claim("it works", "Table 1", "a check", evidence=(Evidence("here", "snip", **named),))
    return found.standing(found.findings(claim))


BARE = [95.0, 95.1, 94.9, 95.0, 95.05]


@pytest.mark.parametrize(
    ("shift", "equal", "worse", "better", "no_worse"),
    [
        (0.01, "as claimed", "not found", "not found", "as claimed"),
        (-3.0, "contradicted", "as claimed", "contradicted", "contradicted"),
        (3.0, "contradicted", "contradicted", "as claimed", "as claimed"),
    ],
)
def test_a_claim_stands_where_the_difference_is_what_it_says(
    monkeypatch: pytest.MonkeyPatch, shift: float, equal: str, worse: str, better: str, no_worse: str
) -> None:
    moved = [value + shift + 0.01 * seed for seed, value in enumerate(BARE)]
    checked = frame({"none": BARE, "invert": moved})
    beside_dense = frame({"none": moved, "dense": BARE})
    for predicted, expected in {"equal": equal, "worse": worse, "better": better, "no_worse": no_worse}.items():
        assert outcome(monkeypatch, checked, check="invert", predicted=predicted) == expected
        assert outcome(monkeypatch, beside_dense, against="dense", predicted=predicted) == expected


def test_noise_leaves_a_claim_open_and_absent_records_leave_it_untested(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = frame({"none": BARE, "invert": [90.0, 99.0, 97.0, 98.5, 99.5]})
    assert outcome(monkeypatch, noisy, check="invert", predicted="worse") == "open"
    assert outcome(monkeypatch, None, check="invert", predicted="worse") == "not tested"


def test_a_claim_that_holds_at_one_ratio_and_fails_at_another_stands_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    low = frame({"none": BARE, "invert": [value + 0.001 * seed for seed, value in enumerate(BARE)]}, 0.5)
    high = frame({"none": BARE, "invert": [value - 5 + 0.01 * seed for seed, value in enumerate(BARE)]}, 0.9)
    both = pd.concat([low, high], ignore_index=True)
    assert outcome(monkeypatch, both, check="invert", predicted="worse") == "in part"


def test_what_was_found_elsewhere_counts_only_where_nothing_else_was(monkeypatch: pytest.MonkeyPatch) -> None:
    own = frame({"none": BARE, "invert": [value + 0.001 * seed for seed, value in enumerate(BARE)]})
    other = frame({"none": BARE, "invert": [value - 5 + 0.01 * seed for seed, value in enumerate(BARE)]})
    records = {"own": prepare(own), "other": prepare(other)}
    monkeypatch.setattr(found, "_folder", records.get)
    here = Evidence("own", "snip", "worse", check="invert")
    there = Evidence("other", "snip", "worse", check="invert", elsewhere=True)
    both = found.findings(Claim("it works", "Table 1", "a check", evidence=(here, there)))
    assert (found.standing(both), found.only_elsewhere(both)) == ("not found", False)
    alone = found.findings(Claim("it works", "Table 1", "a check", evidence=(there,)))
    assert (found.standing(alone), found.only_elsewhere(alone)) == ("as claimed", True)


def test_records_of_two_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    two = pd.concat([frame({"none": BARE}), frame({"none": BARE}).assign(model="lenet_300_100")], ignore_index=True)
    with pytest.raises(UserError, match="2 settings"):
        outcome(monkeypatch, two, check="invert", predicted="worse")


def test_evidence_names_one_comparison_and_a_known_prediction() -> None:
    with pytest.raises(UserError, match="Did you mean 'equal'"):
        Evidence("here", "snip", "equall", check="invert")
    with pytest.raises(UserError, match="one of check, against and table"):
        Evidence("here", "snip", "equal", check="invert", against="dense")


def test_each_claim_has_a_source_and_a_test_and_records_that_there_are() -> None:
    assert len(PAPERS) == 8
    for paper in PAPERS:
        assert paper.claims
        assert paper.differs
        assert all(claim.source and claim.test for claim in paper.claims)
    for folder in RECORDS:
        kind, _, name = folder.partition("/")
        assert (ROOT / kind / name).is_dir() or (ROOT / kind / f"{name}.toml").exists(), folder


def test_the_page_in_the_docs_is_what_the_records_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "md"]) == 0
    page = (ROOT.parent / "docs" / "claims.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == page, "python -m sanity.claims --format md > docs/claims.md"


def test_text_fits_eighty_columns_and_json_holds_the_numbers() -> None:
    paper = next(paper for paper in PAPERS if paper.name == "lee2019")
    assert max(map(len, written.text([paper]).splitlines())) <= written.WIDTH
    (entry,) = json.loads(written.machine_readable([paper]))
    ratios = [point for claim in entry["claims"] for one in claim["found"] for point in one["ratios"]]
    assert ratios
    assert all(point["n"] > 0 for point in ratios)


@pytest.mark.parametrize(
    ("words", "line"),
    [(["lee2018"], "Did you mean 'lee2019'"), (["--format", "mdd"], "Did you mean 'md'"), (["--format"], "needs text")],
)
def test_a_mistake_is_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
