"""The settings under which each paper's own code ran, as `variant=` gives them, each read in that code."""

from typing import Any

import pytest

import methods
from methods.base import Method

GRASP = {"augment": True, "order": "class_sorted", "split": 2, "reinit_classifier": True, "temperature": 200.0}
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("magnitude", "frankle2021"): {"layers": "all", "scored_at": "init", "rounds": 1},
    ("magnitude", "tanaka2020"): {"layers": "all", "scored_at": "init", "rounds": 1},
    ("random", "frankle2021"): {"allocation": "global", "rounds": 1},
    ("random", "tanaka2020"): {"allocation": "global", "rounds": 1},
    ("snip", "lee2019"): {
        "batch_norm": "running",
        "balanced": False,
        "augment": False,
        "score_weights": "lee2019",
        "biases": "pruned",
    },
    ("snip", "su2020"): {"batch_norm": "batch", "augment": True, "balanced": True, "aggregate": "abs_of_sum"},
    ("snip", "atanov2021"): {"batch_norm": "batch", "augment": True, "examples": 64, "score_weights": "xavier_normal"},
    ("snip", "frankle2021"): {"batch_norm": "batch", "augment": False, "aggregate": "sum_of_abs"},
    ("snip", "tanaka2020"): {"augment": True, "balanced": False, "aggregate": "abs_of_sum", "score_weights": "own"},
    ("grasp", "wang2020"): GRASP,
    ("grasp", "su2020"): GRASP,
    ("grasp", "atanov2021"): GRASP,
    ("grasp", "frankle2021"): {
        "augment": False,
        "order": "mixed",
        "split": 1,
        "reinit_classifier": False,
        "gradient": "per_batch",
    },
    ("grasp", "tanaka2020"): {"augment": True, "balanced": False, "split": 1, "reinit_classifier": False},
    ("synflow", "tanaka2020"): {"linearise": "state", "batch_norm": "running", "rounds": 100},
    ("synflow", "frankle2021"): {"linearise": "parameters", "batch_norm": "running", "rounds": 100},
    ("random_tickets", "su2020"): {
        "allocation": "smart_ratio",
        "smart_layer_count": "counted",
        "smart_linear_keep": 0.3,
    },
    ("random_tickets", "atanov2021"): {"allocation": "smart_ratio", "smart_layer_count": "nominal"},
    ("partially_trained", "su2020"): {"layers": "convolutions", "rewind": "learning_rate", "rewind_epoch": 0},
    ("partially_trained", "atanov2021"): {"layers": "all", "rewind_epoch": 40, "retrain_epochs": 160},
    ("partially_trained", "frankle2021"): {"rewind": "weights", "removed_per_round": 0.2},
    ("hybrid_tickets", "su2020"): {"allocation": "smart_ratio", "smart_layer_count": "counted", "scored_at": "end"},
    ("hybrid_tickets", "atanov2021"): {"smart_layer_count": "nominal", "rewind_epoch": 40, "retrain_epochs": 160},
}


def test_every_variant_is_listed_here() -> None:
    built_in = {name: methods.REGISTRY.load(name).variants for name in methods.REGISTRY.names()}
    ours = {(name, variant) for name, variants in built_in.items() for variant in variants}
    assert ours == set(SETTINGS)
    assert {variant for _, variant in ours} == {
        "su2020",
        "atanov2021",
        "frankle2021",
        "tanaka2020",
        "wang2020",
        "lee2019",
    }


@pytest.mark.parametrize(("name", "variant"), SETTINGS)
def test_a_variant_has_its_papers_settings(name: str, variant: str) -> None:
    method: Method = methods.get(name, variant)
    assert {key: getattr(method, key) for key in SETTINGS[name, variant]} == SETTINGS[name, variant]


def test_options_win_over_the_variants() -> None:
    assert methods.get("snip", "lee2019", biases="never", score_weights="own") == methods.get(
        "snip", batch_norm="running", balanced=False
    )


@pytest.mark.parametrize(
    ("name", "scored_at", "rewind"),
    [
        ("magnitude", "init", "init"),
        ("snip", "init", "init"),
        ("grasp", "init", "init"),
        ("synflow", "init", "init"),
        ("random", "init", "init"),
        ("random_tickets", "init", "init"),
        ("partially_trained", "end", "learning_rate"),
        ("hybrid_tickets", "end", "learning_rate"),
    ],
)
def test_what_is_scored_and_what_is_retrained_by_default(name: str, scored_at: str, rewind: str) -> None:
    method: Method = methods.get(name)
    assert (method.scored_at, method.rewind, method.rewind_epoch) == (scored_at, rewind, 0)
