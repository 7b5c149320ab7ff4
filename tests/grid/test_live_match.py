"""Tickets of equal live weights: the ratio counts weights on a path from input to output, for control and check."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.overview import remarks
from reports.statistics import summarise
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid import keys
from sanity.grid.live_match import TOLERANCE
from sanity.run import prepare, run
from sanity.store.records import load_records

KEYS: dict[str, Any] = {
    "methods": "snip,random,dense", "checks": "layerwise_rearrange,reinit,random_labels", "ratio": 0.98, "seeds": 0,
    "model": "lenet_300_100", "recipe.epochs": 1, "dataset.limit": 200, "dataset.test_limit": 100, "device": "cpu",
    "precision": "fp32",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    run({**KEYS, "match": "live", "results_dir": root})
    run({**KEYS, "match": "counts", "results_dir": root})
    return root


@pytest.fixture(scope="module")
def records(folder: Path) -> pd.DataFrame:
    return load_records(folder)


def test_every_ticket_has_the_budget_of_live_weights(records: pd.DataFrame) -> None:
    pruned = records[(records["match"] == "live") & (records["method"] != "dense")]
    budget = round(0.02 * pruned["prunable"].iloc[0])
    live = (pruned["effective_density"] * pruned["prunable"]).round()
    assert len(pruned) == 2 * 4
    assert (live / budget - 1).abs().max() <= TOLERANCE
    control = records[(records["match"] == "counts") & (records["method"] != "dense")]
    unmatched = (control["effective_density"] * control["prunable"]).round()
    assert (unmatched / budget - 1).abs().max() > 0.3  # half of a random mask is dead here
    assert (pruned["kept"] > budget).all()


def test_a_check_that_leaves_the_mask_leaves_its_number_of_weights(records: pd.DataFrame) -> None:
    rows = records[records["match"] == "live"].to_dict("records")
    pruned = {(row["method"], row["check"]): row for row in rows}
    for method in ("snip", "random"):
        assert pruned[method, "reinit"]["mask_overlap"] == 1
        assert pruned[method, "reinit"]["kept"] == pruned[method, "none"]["kept"]
    assert pruned["snip", "layerwise_rearrange"]["kept"] != pruned["snip", "none"]["kept"]
    assert pruned["random", "random_labels"]["identical_to_none"]


def test_a_folder_with_both_kinds_is_reported_as_two_settings(folder: Path) -> None:
    frame = load_records(folder)
    summary = summarise(frame)
    assert sorted(summary.names("recipe")) == ["quick (match=counts)", "quick (match=live)"]
    assert any("match=live" in remark for remark in remarks(frame))


def test_only_live_tickets_have_other_names() -> None:
    named = {}
    for match in ("counts", "live"):
        experiment, cells = prepare(from_mapping({**KEYS, "match": match}))
        named[match] = {cell.title: keys.cell(cell, experiment) for cell in cells}
    same = {title for title, key in named["live"].items() if named["counts"][title] == key}
    assert same == {"dense seed 0"}


@pytest.mark.parametrize(
    ("of", "word"),
    [
        ({"methods": "snip", "snip.pattern": "2:4", "ratio": 0.5}, "pattern=2:4"),
        ({"methods": "snip", "checks": "rewire+freeze"}, r"rewire\+freeze pruned weights conduct"),
        ({"methods": "snip", "checks": "none", "model": "tests.models.foreign:Fourier"}, "paths"),
    ],
)
def test_what_cannot_be_matched_is_refused(of: dict[str, Any], word: str) -> None:
    with pytest.raises(UserError, match=word):
        prepare(from_mapping({**KEYS, **of, "match": "live"}))


def test_the_end_of_dense_training_is_there_before_live_weights_are_counted(tmp_path: Path) -> None:
    frame = run({**KEYS, "methods": "random", "checks": "sign_of_end", "match": "live", "results_dir": tmp_path})
    assert (frame["status"] == "done").all(), frame["reason"].tolist()
