"""Claims about other outcomes than accuracy: epochs by their ratio, live weights, the margin that a claim states."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import gmean

from reports.claims import found, outcomes, page, written
from reports.claims.declared import Claim, Evidence, Paper
from reports.comparisons import Comparison, Mean
from reports.records import prepare
from reports.wording import MINUS
from sanity.errors import UserError
from tests.reports.claims.records import BARE, frame, standing


def test_the_accuracy_before_training_is_another_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    own = frame({"none": [value + 0.01 * seed for seed, value in enumerate(BARE)], "dense": BARE})
    before = [60.0, 61.0, 59.5, 60.5, 60.2]
    there = own.assign(
        start_test_accuracy=[
            10.0 if name == "dense" else before[seed] for name, seed in zip(own["method"], own["seed"], strict=True)
        ]
    )
    asked = {"against": "dense", "predicted": "better", "outcome": "start_test_accuracy"}
    assert standing(monkeypatch, own, against="dense", predicted="better") == "not found"
    assert standing(monkeypatch, own, **asked) == "not tested"
    assert standing(monkeypatch, there, **asked) == "as claimed"


EPOCHS = {"dense": [9, 4, 3, 5, 6], "none": [4, 2, 2, 2, 3], "reinit": [9, 6, 6, 7, 5]}


def stopped(epochs: dict[str, list[int]] = EPOCHS) -> pd.DataFrame:
    """Records of equal accuracies whose validation loss was smallest after these epochs."""
    records = frame(dict.fromkeys(epochs, BARE))
    return records.assign(early_stop_epoch=[epoch for column in epochs.values() for epoch in column])


@pytest.mark.parametrize(("side", "predicted"), [({"against": "dense"}, "lower"), ({"check": "reinit"}, "higher")])
def test_epochs_of_early_stopping_are_compared_by_their_ratio(
    monkeypatch: pytest.MonkeyPatch, side: dict[str, Any], predicted: str
) -> None:
    monkeypatch.setattr(found, "_folder", lambda _: prepare(stopped()))
    evidence = Evidence("here", "snip", predicted, outcome="early_stop_epoch", margin=20.0, **side)
    (finding,) = found.findings(Claim("it stops early", "p. 4", "epochs", evidence=(evidence,)))
    (point,) = finding.points
    assert point.comparison is not None
    assert point.means is not None
    assert point.standing == "as claimed"
    ours, theirs = EPOCHS["reinit" if "check" in side else "none"], EPOCHS["none" if "check" in side else "dense"]
    logs = np.log(np.array(ours) / np.array(theirs))
    assert point.comparison.difference.mean == pytest.approx(100 * np.expm1(logs.mean()))
    assert point.means == pytest.approx((gmean(ours), gmean(theirs)))
    half = stats.t.ppf(0.975, 4) * logs.std(ddof=1) / np.sqrt(5)
    ends = 100 * np.expm1([logs.mean() - half, logs.mean() + half])
    assert (point.comparison.low, point.comparison.high) == pytest.approx(tuple(ends))
    opposite = {"lower": "higher", "higher": "lower"}[predicted]
    wrong = replace(evidence, predicted=opposite)
    assert found.standing(found.findings(Claim("it", "p. 4", "epochs", evidence=(wrong,)))) == "contradicted"


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=3, max_size=9))
def test_swapping_the_sides_of_a_ratio_inverts_it(pairs: list[tuple[int, int]]) -> None:
    outcome, runs = outcomes.OUTCOMES["early_stop_epoch"], range(len(pairs))
    ours, theirs = (pd.DataFrame({"early_stop_epoch": side}) for side in zip(*pairs, strict=True))

    def change(to: pd.DataFrame, of: pd.DataFrame) -> float:
        moved = (outcome.scaled(to) - outcome.scaled(of)).tolist()
        told = outcome.restored(Comparison(Mean.of(moved), "undecided", seeds=tuple(zip(runs, moved, strict=True))))
        assert 1 + told.seeds[0][1] / 100 == pytest.approx(pairs[0][0 if to is ours else 1] / pairs[0][to is ours])
        return 1 + told.difference.mean / 100

    assert change(ours, theirs) * change(theirs, ours) == pytest.approx(1)


def test_epochs_below_the_accuracy_of_chance_are_no_obstacle_and_networks_that_guess_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {"against": "dense", "predicted": "lower", "outcome": "early_stop_epoch", "margin": 20.0}
    guessing = stopped().assign(last_test_accuracy=10.0, best_test_accuracy=10.0)
    assert standing(monkeypatch, stopped(), **asked) == "as claimed"
    assert standing(monkeypatch, guessing, **asked) == "open"


def test_the_margin_that_a_claim_states_replaces_that_of_the_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = [value + 0.3 + 0.02 * seed for seed, value in enumerate(BARE)]
    records = frame({"none": moved, "dense": BARE})
    assert standing(monkeypatch, records, against="dense", predicted="better") == "not found"
    assert standing(monkeypatch, records, against="dense", predicted="better", margin=0.1) == "as claimed"


def test_weights_without_a_path_lessen_the_share_of_live_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    records = frame({"none": BARE, "dense": BARE})
    dense = records["method"] == "dense"
    there = records.assign(
        kept=np.where(dense, 1000, 100),
        prunable=1000,
        effective_density=np.where(dense, 1.0, 0.04) - 0.001 * records["seed"],
    )
    monkeypatch.setattr(found, "_folder", lambda _: prepare(there))
    evidence = Evidence("here", "snip", "lower", against="dense", outcome="live_weights", margin=5.0)
    (finding,) = found.findings(Claim("it", "p. 4", "paths", evidence=(evidence,)))
    assert finding.points[0].standing == "as claimed"
    assert finding.points[0].means == pytest.approx((38.0, 99.8))


@pytest.mark.parametrize(
    ("named", "line"),
    [
        ({"outcome": "early_stop_epock", "predicted": "lower"}, "Did you mean 'early_stop_epoch'"),
        ({"outcome": "early_stop_epoch", "predicted": "lower"}, "needs a margin, in percent"),
        ({"outcome": "early_stop_epoch", "predicted": "better", "margin": 20.0}, "is no accuracy"),
        ({"predicted": "better", "margin": 0.0}, "margin=0: should be greater than 0"),
    ],
)
def test_evidence_of_another_outcome_says_what_it_needs(named: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        Evidence("here", "snip", against="dense", **named)


def test_another_outcome_is_named_with_its_unit_and_both_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "_folder", lambda _: prepare(stopped()))
    evidence = (
        Evidence("here", "snip", "lower", against="dense", outcome="early_stop_epoch", margin=20.0),
        Evidence("here", "snip", "no_worse", against="dense"),
    )
    paper = Paper("own", "Own", "cited", "nets", "all", (Claim("it", "p. 4", "epochs", evidence=evidence),), ())
    row = next(line for line in page.markdown([paper]).splitlines() if line.startswith("| 1 | ") and "epoch" in line)
    assert re.search(rf": epoch of the smallest validation loss \| lower \| 90 %: {MINUS}\d+ % ", row), row
    assert "2.5 beside 5.0" in row
    assert "margin 20 %" in row
    assert "by epoch of the smallest validation loss" in page.markdown([paper])
    told = " ".join(written.text([paper]).split())
    assert "2.5 beside 5.0" in told
    epochs, accuracy = json.loads(written.machine_readable([paper]))[0]["claims"][0]["found"]
    assert (epochs["unit"], epochs["margin"]) == ("percent", 20.0)
    assert (accuracy["unit"], accuracy["margin"]) == ("points", 0.5)
