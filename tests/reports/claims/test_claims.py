"""Claims of papers: every outcome follows from the records, and the page in the docs is what they say."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import reproductions
from reports.claims import declared, found, page, written
from reports.claims.command import main
from reports.claims.declared import Claim, Evidence, Paper
from reports.records import prepare
from reproductions import claims, reference
from reproductions.panels import cells_of
from sanity.errors import UserError
from sanity.store import PACKED
from tests.reports.claims.records import BARE, frame, standing

ROOT = Path(reproductions.__file__).parent
PAPERS = [declared.read(name) for name in claims.names()]
RECORDS = sorted({evidence.records for paper in PAPERS for claim in paper.claims for evidence in claim.evidence})


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
        assert standing(monkeypatch, checked, check="invert", predicted=predicted) == expected
        assert standing(monkeypatch, beside_dense, against="dense", predicted=predicted) == expected


def test_no_worse_needs_no_upper_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between +0.1 and +1.1: neither equal nor surely better, and surely no worse."""
    gains = [0.1, 1.3, -0.2, 1.2, 0.6]
    records = frame({"none": BARE, "invert": [value + gain for value, gain in zip(BARE, gains, strict=True)]})
    assert standing(monkeypatch, records, check="invert", predicted="no_worse") == "as claimed"
    for predicted in ("better", "worse", "equal"):
        assert standing(monkeypatch, records, check="invert", predicted=predicted) == "open"
    losses = frame({"none": BARE, "invert": [value - gain for value, gain in zip(BARE, gains, strict=True)]})
    assert standing(monkeypatch, losses, check="invert", predicted="no_worse") == "open"


def test_a_rare_loss_among_gains_leaves_no_worse_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven seeds gain half a point and one loses more than the margin: how often it does eight seeds do not tell."""
    bare = [95.0] * 8
    for last, expected in ((-0.9, "open"), (0.1, "as claimed")):
        gains = [0.5, 0.52, 0.48, 0.51, 0.49, 0.5, 0.47, last]
        moved = [value + gain for value, gain in zip(bare, gains, strict=True)]
        records = frame({"none": bare, "invert": moved})
        assert standing(monkeypatch, records, check="invert", predicted="no_worse") == expected


def test_noise_leaves_a_claim_open_and_absent_records_leave_it_untested(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = frame({"none": BARE, "invert": [90.0, 99.0, 97.0, 98.5, 99.5]})
    assert standing(monkeypatch, noisy, check="invert", predicted="worse") == "open"
    assert standing(monkeypatch, None, check="invert", predicted="worse") == "not tested"


def test_a_claim_that_holds_at_one_ratio_and_fails_at_another_stands_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    low = frame({"none": BARE, "invert": [value + 0.001 * seed for seed, value in enumerate(BARE)]}, 0.5)
    high = frame({"none": BARE, "invert": [value - 5 + 0.01 * seed for seed, value in enumerate(BARE)]}, 0.9)
    both = pd.concat([low, high], ignore_index=True)
    assert standing(monkeypatch, both, check="invert", predicted="worse") == "in part"


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
        standing(monkeypatch, two, check="invert", predicted="worse")


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
        assert paper.read
    for folder in RECORDS:
        kind, _, name = folder.partition("/")
        described = ROOT / kind if kind == "reference" else ROOT
        assert (ROOT / folder).is_dir() or (described / f"{name}.toml").exists(), folder


TO_COME = [folder for folder in RECORDS if folder.startswith("reference") or not (ROOT / folder).is_dir()]


@pytest.mark.parametrize("folder", TO_COME)
def test_a_claim_asks_records_to_come_for_what_their_grid_holds(folder: str) -> None:
    kind, _, name = folder.partition("/")
    panels = reference.panels(name) if kind == "reference" else reproductions.load(name).panels
    cells = {(cell["method"], cell["check"], cell["ratio"]) for panel in panels for cell in cells_of(panel)}
    held = {cell[:2] for cell in cells}
    asked = [one for paper in PAPERS for claim in paper.claims for one in claim.evidence if one.records == folder]
    assert asked
    for one in asked:
        assert (one.method, one.check or "none") in held, one
        assert (one.against or one.method, "none") in held, one
        for ratio in one.ratio:
            assert (one.method, one.check or "none", ratio) in cells, one


def test_a_claim_takes_up_records_as_soon_as_they_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits' records stand in for those of MNIST: same methods, another name."""
    claim = next(
        claim for claim in declared.read("frankle_carbin2019").claims if "as accurate as the whole" in claim.says
    )
    wanted = tuple(one for one in claim.evidence if one.records == "reference/mnist_lenet_300_100")
    folder = tmp_path / "reference" / "mnist_lenet_300_100"
    folder.mkdir(parents=True)
    digits = (ROOT / "reference" / "digits_lenet_300_100" / PACKED).read_text(encoding="utf-8")
    rows = [row for row in digits.splitlines() if '"dense"' in row or '"partially_trained[rewind=weights]"' in row]
    monkeypatch.setattr(reproductions, "__file__", str(tmp_path / "__init__.py"))
    found._folder.cache_clear()
    empty = found.findings(replace(claim, evidence=wanted))
    assert found.standing(empty) == "not tested"
    found._folder.cache_clear()
    (folder / PACKED).write_text("\n".join(rows).replace('"digits"', '"mnist"') + "\n", encoding="utf-8")
    (there,) = found.findings(replace(claim, evidence=wanted))
    found._folder.cache_clear()
    assert [point.ratio for point in there.points] == [0.8, 0.9]
    assert there.setting.startswith("lenet_300_100 on MNIST")
    assert not found.only_elsewhere([there])


def test_lists_in_a_file_stand_for_every_combination() -> None:
    lists = {
        "records": ["here", "there"],
        "method": ["snip", "grasp"],
        "check": "invert",
        "predicted": "worse",
        "ratio": [0.9],
    }
    claim = declared._claim({"says": "it works", "source": "p. 1", "test": "a check", "found": [lists]})
    assert [(one.records, one.method) for one in claim.evidence] == [
        ("here", "snip"), ("here", "grasp"), ("there", "snip"), ("there", "grasp")
    ]  # fmt: skip
    assert {(one.check, one.ratio) for one in claim.evidence} == {("invert", (0.9,))}


def test_a_place_that_was_not_seen_in_print_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "_folder", lambda _: None)
    claims_of_it = tuple(
        Claim("it works", place, "a check", "no data", unseen=place == "Table 2") for place in ("Table 1", "Table 2")
    )
    paper = Paper("own", "Own", "cited", "networks", "the abstract", claims_of_it, ())
    for told in (written.text([paper]), page.markdown([paper])):
        assert "(Table 1)" in told
        assert "(Table 2 †)" in told


def test_what_was_found_is_told_in_short_above_the_numbers() -> None:
    kept = (ROOT.parent / "docs" / "claims.md").read_text(encoding="utf-8")
    rows = [line for line in kept.splitlines() if re.match(r"\| \d+\. ", line)]
    assert len(rows) == sum(len(paper.claims) for paper in PAPERS)
    assert max(len(line) for row in rows for line in row.split(" | ")[2].split("<br>")) < 400
    assert not re.search(r", +\|", kept), "an empty word after a comma"


def test_the_page_in_the_docs_is_what_the_records_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "md"]) == 0
    kept = (ROOT.parent / "docs" / "claims.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == kept, "python -m sanity.claims --format md > docs/claims.md"


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
