"""The settings under which each paper's own code ran, as `variant=` gives them, each read in that code."""

from typing import Any

import pytest

import methods
from methods.base import Method

GRASP = {
    "augment": True,
    "order": "class_sorted",
    "split": 2,
    "reinit_classifier": True,
    "temperature": 200.0,
    "batch_norm": "batch",
    "counts": "one_more_kept",
}
LEE = {
    "batch_norm": "running",
    "balanced": False,
    "augment": False,
    "score_weights": "lee2019",
    "biases": "pruned",
    "counts": "rounded",
}
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("magnitude", "frankle2021"): {"layers": "all", "scored_at": "init", "rounds": 1, "counts": "one_more_removed"},
    ("magnitude", "tanaka2020"): {"layers": "all", "scored_at": "init", "rounds": 1, "counts": "removed_floored"},
    ("random", "frankle2021"): {"allocation": "global", "rounds": 1, "counts": "one_more_removed"},
    ("random", "tanaka2020"): {"allocation": "global", "rounds": 1, "counts": "removed_floored"},
    ("snip", "lee2019"): {**LEE, "score_biases": "drawn"},
    ("snip", "lee2019_zero_biases"): {**LEE, "score_biases": "zero"},
    ("snip", "gahaalt2019"): {"biases": "pruned", "score_weights": "own", "counts": "removed_floored"},
    ("snip", "su2020"): {
        "batch_norm": "batch",
        "augment": True,
        "balanced": True,
        "aggregate": "abs_of_sum",
        "counts": "kept_floored",
    },
    ("snip", "atanov2021"): {
        "batch_norm": "batch",
        "augment": True,
        "examples": 64,
        "score_weights": "xavier_normal",
        "counts": "kept_floored",
    },
    ("snip", "frankle2021"): {
        "batch_norm": "batch",
        "augment": False,
        "aggregate": "sum_of_abs",
        "batch_size": 128,
        "counts": "one_more_removed",
    },
    ("snip", "tanaka2020"): {
        "augment": True,
        "balanced": False,
        "aggregate": "abs_of_sum",
        "score_weights": "own",
        "batch_norm": "running",
        "batch_size": 256,
        "counts": "removed_floored",
    },
    ("grasp", "wang2020"): GRASP,
    ("grasp", "su2020"): GRASP,
    ("grasp", "atanov2021"): GRASP,
    ("grasp", "frankle2021"): {
        "augment": False,
        "order": "mixed",
        "split": 1,
        "reinit_classifier": False,
        "gradient": "per_batch",
        "batch_size": 128,
        "counts": "removed_ceiled",
    },
    ("grasp", "tanaka2020"): {
        "augment": True,
        "balanced": False,
        "split": 1,
        "reinit_classifier": False,
        "batch_norm": "running",
        "batch_size": 256,
        "redraw": True,
        "counts": "removed_floored",
    },
    ("synflow", "tanaka2020"): {
        "linearise": "state",
        "batch_norm": "running",
        "rounds": 100,
        "counts": "removed_floored",
    },
    ("synflow", "frankle2021"): {
        "linearise": "parameters",
        "batch_norm": "running",
        "rounds": 100,
        "counts": "one_more_removed",
    },
    ("synflow", "iurada2024"): {
        "power": 2,
        "factor": "weight",
        "linearise": "state",
        "batch_norm": "running",
        "rounds": 100,
        "counts": "removed_floored",
    },
    ("ntk_sap", "wang2023"): {"rounds": 20, "draws": 5, "epsilon": 0.01, "counts": "removed_floored"},
    ("prospr", "alizadeh2022"): {
        "steps": 3,
        "inner_lr": 0.1,
        "momentum": 0.0,
        "batches": 1,
        "examples": 128,
        "augment": True,
        "balanced": False,
        "first_order": False,
        "counts": "removed_floored",
    },
    ("px", "iurada2024"): {
        "activated": "own",
        "images": "plain",
        "classifier": "transformed",
        "factor": "twice",
        "open_in": "batch",
        "batch_norm": "batch",
        "examples": 128,
        "batches": 2,
        "augment": True,
        "balanced": False,
        "rounds": 100,
        "counts": "removed_floored",
    },
    ("px", "iurada2025"): {
        "activated": "ones",
        "images": "squared",
        "classifier": "own",
        "factor": "once",
        "open_in": "running",
        "batch_norm": "running",
        "augment": True,
        "balanced": True,
        "rounds": 100,
        "counts": "removed_floored",
    },
    ("force", "dejorge2021"): {
        "criterion": "force",
        "rounds": 60,
        "augment": True,
        "balanced": False,
        "examples": 128,
        "batch_norm": "batch",
        "counts": "kept_floored",
    },
    ("random_tickets", "su2020"): {
        "allocation": "smart_ratio",
        "smart_layer_count": "counted",
        "smart_linear_keep": 0.3,
    },
    ("random_tickets", "atanov2021"): {
        "allocation": "smart_ratio",
        "smart_layer_count": "nominal",
        "smart_normaliser": "all",
    },
    ("partially_trained", "su2020"): {"layers": "convolutions", "rewind": "learning_rate", "rewind_epoch": 0},
    ("partially_trained", "atanov2021"): {
        "layers": "all",
        "rewind_epoch": 40,
        "weights_at": 41,
        "retrain_epochs": 160,
        "counts": "kept_floored",
    },
    ("partially_trained", "frankle2021"): {
        "rewind": "weights",
        "removed_per_round": 0.2,
        "layers": "openlth",
        "counts": "one_more_removed",
    },
    ("partially_trained", "frankle_carbin2019"): {
        "rewind": "init",
        "allocation": "layer_rates",
        "convolution_rate": 0.5,
        "removed_per_round": None,
    },
    ("hybrid_tickets", "su2020"): {"allocation": "smart_ratio", "smart_layer_count": "counted", "scored_at": "end"},
    ("hybrid_tickets", "atanov2021"): {
        "smart_layer_count": "nominal",
        "smart_normaliser": "all",
        "rewind_epoch": 40,
        "retrain_epochs": 160,
    },
    ("set", "mocanu2018"): {
        "update_every": 1,
        "update_until": 1.0,
        "drop": 0.3,
        "drop_decay": "constant",
        "by_sign": True,
    },
    ("gem_miner", "sreenivasan2022"): {"epochs": 150, "period": 8, "batch_size": 128, "weight_decay": 0.0},
    ("network_slimming", "liu2017"): {
        "pattern": "channel",
        "allocation": "global",
        "scored_at": "end",
        "counts": "one_more_than_floored",
    },
    ("early_bird", "you2020"): {
        "pattern": "channel",
        "distance": 0.1,
        "window": 5,
        "counts": "one_more_than_floored",
    },
    ("edge_popup", "ramanujan2020"): {"epochs": 14, "batch_size": 64, "augment": False, "weight_decay": 5e-4},
}


def test_every_variant_is_listed_here() -> None:
    built_in = {name: methods.REGISTRY.load(name).variants for name in methods.REGISTRY.names()}
    ours = {(name, variant) for name, variants in built_in.items() for variant in variants}
    assert ours == set(SETTINGS)
    assert {variant for _, variant in ours} == {
        "su2020",
        "ramanujan2020",
        "sreenivasan2022",
        "mocanu2018",
        "atanov2021",
        "frankle2021",
        "tanaka2020",
        "wang2020",
        "lee2019",
        "lee2019_zero_biases",
        "dejorge2021",
        "iurada2024",
        "wang2023",
        "alizadeh2022",
        "iurada2025",
        "frankle_carbin2019",
        "gahaalt2019",
        "liu2017",
        "you2020",
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
