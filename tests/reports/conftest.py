"""Makes synthetic records: invented numbers in the shape of real ones, for the tests of the reports only."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

LAYERS = {"conv1": 432, "conv2": 9216, "conv3": 18432, "fc": 5120}
EFFECT = {
    "none": 0.0,
    "random_labels": -0.1,
    "layerwise_rearrange": -0.05,
    "reinit": -1.6,
    "random_labels+reinit": -1.2,
}
SOURCE = "Invented et al. 2020, Table 1"
METHODS = {"grasp": 91.0, "snip[score_init=glorot]": 91.6, "synflow": 90.5}


def record(method: str, check: str, ratio: float, seed: int, accuracy: float, **values: object) -> dict:
    """Returns one row with every column of the contract; `values` replace the invented ones."""
    rng = np.random.default_rng([len(method), len(check), seed, int(ratio * 100)])
    share = dict(zip(LAYERS, (1 - ratio) * rng.uniform(0.7, 1.4, len(LAYERS)), strict=True))
    layers = {name: {"weights": n, "kept": min(n, round(n * share[name]))} for name, n in LAYERS.items()}
    prunable, bare = sum(LAYERS.values()), check == "none"
    curve = [{"epoch": e, "learning_rate": 0.1, "train_loss": 1.0, "train_accuracy": 80.0 + e, "test_loss": 1.0,
              "test_accuracy": accuracy - 3 + e} for e in range(1, 4)]  # fmt: skip
    training = f"{method} {'none' if values.get('identical_to_none') else check} {ratio} {seed}"
    row = {
        "dataset": "synthetic", "model": "tiny", "recipe": "short", "method": method, "check": check, "ratio": ratio,
        "seed": seed, "actual_ratio": ratio, "kept": round(prunable * (1 - ratio)), "prunable": prunable,
        "effective_density": 1 - ratio, "collapsed": [], "layers": layers,
        "mask_overlap": np.nan if bare else 0.31, "expected_overlap": np.nan if bare else 1 - ratio,
        "identical_to_none": False, "last_test_accuracy": accuracy, "best_test_accuracy": accuracy + 0.3,
        "best_epoch": 2, "curve": curve, "epochs": 3, "start_epoch": 0, "diverged_epoch": None, "wall_s": 12.5,
        "search_s": 0.5, "device": "cpu", "precision": "fp32", "deterministic": False,
        "versions": {"python": "3.11.9", "torch": "2.11.0"}, "commit": "0123456789abcdef", "data_digest": "d" * 64,
        "ticket": f"{method}{check}{ratio}{seed}", "training": training, "status": "done",
    }  # fmt: skip
    return row | values


def grid(ratios: Sequence[float] = (0.9, 0.95, 0.98), seeds: int = 5, methods: Sequence[str] = tuple(METHODS),
         checks: Sequence[str] = tuple(EFFECT), noise: float = 0.08, **values: object) -> pd.DataFrame:  # fmt: skip
    """Returns a whole grid; SynFlow's ticket is the same under random labels, as it is in truth."""
    rng = np.random.default_rng(0)
    rows = [record("dense", "none", 0.0, seed, 93.1 + rng.normal(0, noise), **values) for seed in range(seeds)]
    for method in methods:
        for ratio in ratios:
            base = METHODS.get(method, 90.0) - 40 * (ratio - 0.9) + rng.normal(0, 0.3, seeds)
            for check in checks:
                same = check == "none" or (method, check) == ("synflow", "random_labels")
                moved = base + (0 if same else EFFECT.get(check, 0.0) + rng.normal(0, noise, seeds))
                same_ticket = {"identical_to_none": same and check != "none", "mask_overlap": 1.0 if same else 0.31}
                rows += [record(method, check, ratio, seed, float(moved[seed]), **(same_ticket | values))
                         for seed in range(seeds)]  # fmt: skip
    return pd.DataFrame(rows)


def rich_grid() -> pd.DataFrame:
    """Returns a grid with all that a report must not hide: missing, diverged and collapsed runs, and a paper."""
    frame = grid()
    at = frame.set_index(["method", "check", "ratio"]).index
    frame["paper_mean"], frame["paper_std"], frame["paper_n"] = np.nan, np.nan, np.nan
    frame["paper_metric"], frame["paper_source"] = None, None
    for ratio, mean, std, n, metric in ((0.9, 91.2, 0.2, 5, "last"), (0.95, 90.4, np.nan, np.nan, "best"),
                                        (0.98, 87.0, 0.3, 3, "unstated")):  # fmt: skip
        for check in ("none", "layerwise_rearrange"):
            rows = at == ("grasp", check, ratio)
            for name, value in (("mean", mean), ("std", std), ("n", n), ("metric", metric), ("source", SOURCE)):
                frame.loc[rows, f"paper_{name}"] = value
    lost = (at == ("synflow", "reinit", 0.98)) & (frame["seed"] >= 0)
    frame.loc[lost, ["last_test_accuracy", "best_test_accuracy"]] = np.nan
    frame.loc[lost, "status"] = "missing"
    blown = (at == ("grasp", "reinit", 0.95)) & (frame["seed"] == 2)
    for name, value in (("status", "diverged"), ("diverged_epoch", 1), ("last_test_accuracy", 10.0)):
        frame.loc[blown, name] = value
    empty = (at == ("snip[score_init=glorot]", "none", 0.98)) & (frame["seed"] < 2)
    frame["collapsed"] = [["conv1"] if hit else [] for hit in empty]
    return frame


@pytest.fixture
def make_record() -> Callable[..., dict]:
    return record


@pytest.fixture
def make_grid() -> Callable[..., pd.DataFrame]:
    return grid


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    return rich_grid()
