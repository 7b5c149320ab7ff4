"""Networks that are not the suite's, end to end: three methods and three checks on each, by one command."""

from pathlib import Path
from typing import Any

import pytest

from sanity.run import run

EXAMPLE = Path(__file__).parents[2] / "examples" / "plain_network.py"
VIT = {"patch_size": 4, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
NETWORKS: dict[str, tuple[dict[str, Any], str, int]] = {
    "torchvision:VisionTransformer": (VIT, "grasp", 16 + 5 * 16),
    "torchvision:MobileNetV2": (
        {"inverted_residual_setting": "[[1,8,1,1],[2,8,1,2]]", "width_mult": 0.25, "dropout": 0.0},
        *("magnitude", 0),
    ),
    f"{EXAMPLE}:Rows": ({"width": 16}, "random", 16 + 9 * 16),
}
RECIPE = {
    **{"optimizer": "adamw", "lr": 0.002, "weight_decay": 0.05, "decay_norm": "false", "decay_bias": "false"},
    **{"schedule": "cosine", "warmup_epochs": 1, "clip_norm": 1, "label_smoothing": 0.1, "epochs": 2},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_three_methods_and_three_checks_on_a_network_of_anybodys(name: str, tmp_path: Path) -> None:
    options, method, tokens = NETWORKS[name]
    keys = {
        **{"model": name, "methods": f"snip,synflow,{method}", "synflow.nonlinear": "paths", "synflow.rounds": 10},
        **{"checks": "layerwise_rearrange,layerwise_shuffle,reinit", "ratio": "0.8", "seeds": "0"},
        **{"dataset.limit": 60, "dataset.test_limit": 30, "results_dir": str(tmp_path), "snip.examples_per_class": 2},
        **{f"model.{key}": value for key, value in options.items()},
        **{f"recipe.{key}": value for key, value in RECIPE.items()},
        **({"grasp.examples_per_class": 2} if method == "grasp" else {}),
    }
    records = run(keys)
    assert len(records) == 3 * 4
    assert set(records["status"]) == {"done"}
    assert records["effective_density"].between(0.02, 0.2).all()
    assert {sum(sizes.values()) for sizes in records["left_dense"]} == {tokens}
    changed = records[records["check"] != "none"]
    assert not changed["identical_to_none"].any()
    assert (records[records["check"] == "reinit"]["mask_overlap"] == 1).all()
    for _, row in records.iterrows():
        assert row["kept"] == round(0.2 * row["prunable"])
