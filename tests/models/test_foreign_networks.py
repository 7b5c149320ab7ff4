"""Networks of other families: drawn from the run's seed alone, scored by every method, perturbed by every check."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from sanity.models import build
from sanity.prunable import prunable
from sanity.run import run
from sanity.store.records import load_records
from tests.models import foreign
from tests.small_runs import Start

HERE = foreign.__name__
FAMILIES = ["Waves", "Rows", "Attending", "ViT", "Swin", "ConvNeXt", "Tied", "NoStatistics", "Shuffled"]


def state(name: str, seed: int, outside: int, init: str | None = None) -> dict[str, torch.Tensor]:
    torch.manual_seed(outside)
    random.seed(outside)
    np.random.seed(outside)
    generator = torch.Generator().manual_seed(seed)
    return build(f"{HERE}:{name}", (1, 8, 8), 10, init=init, generator=generator).state_dict()


@pytest.mark.parametrize("init", [None, "as_built"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_seed_decides_what_a_network_draws_and_nothing_else(name: str, init: str | None) -> None:
    with torch.random.fork_rng(devices=[]):
        first, second, other = (state(name, *seeds, init) for seeds in [(0, 1), (0, 2), (1, 1)])
    assert all(torch.equal(first[key], second[key]) for key in first)
    constant = {key for key in first if torch.equal(first[key], other[key])}
    assert not [key for key in constant if len(first[key].unique()) > 1 and "relative_position_index" not in key]


def test_the_global_generators_are_spared() -> None:
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    build(f"{HERE}:Shuffled", (1, 8, 8), 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), str(np.random.get_state()))


def test_what_has_a_rule_is_drawn_by_it_and_the_rest_stays_as_built() -> None:
    with torch.random.fork_rng(devices=[]):
        drawn, as_built = state("ViT", 0, 0), state("ViT", 0, 0, "as_built")
    assert torch.equal(drawn["network.encoder.pos_embedding"], as_built["network.encoder.pos_embedding"])
    assert not as_built["network.heads.head.weight"].any()
    assert drawn["network.heads.head.weight"].any()


CHECKS = "random_labels,random_pixels,half_dataset,layerwise_rearrange,layerwise_shuffle,reinit,invert"
LEFT_DENSE = {
    "Rows": {"lstm.weight_ih_l0": 1024, "lstm.weight_hh_l0": 1024},
    "ViT": {"network.class_token": 16, "network.encoder.pos_embedding": 80},
}


@pytest.mark.parametrize("name", ["Waves", "Rows", "Attending", "ViT", "Tied", "NoStatistics"])
@pytest.mark.filterwarnings("ignore")
def test_a_run_scores_checks_and_trains_it(name: str, tmp_path: Path) -> None:
    scoring: dict[str, object] = {f"{method}.examples_per_class": 2 for method in ("snip", "grasp")}
    third = "lamp" if name == "Rows" else "synflow"  # which has no stand-in for an LSTM
    if third == "synflow":
        scoring |= {"synflow.nonlinear": "paths", "synflow.rounds": 10}
    settings = {"ratio": "0.8", "seeds": "0", "recipe.epochs": 1, "dataset.limit": 100, "dataset.test_limit": 50}
    grid = {"model": f"{HERE}:{name}", "methods": f"snip,grasp,{third}", "checks": CHECKS}
    records = run({**grid, **settings, **scoring, "results_dir": str(tmp_path)})
    assert len(records) == 3 * 8
    assert set(records["status"]) == {"done"}
    network = build(f"{HERE}:{name}", (1, 8, 8), 10)
    weights = sum(weight.numel() for weight in prunable(network).values())
    assert set(records["prunable"]) == {weights}
    assert set(records["kept"]) == {round(0.2 * weights)}
    assert records["left_dense"].tolist() == [LEFT_DENSE.get(name, {})] * len(records)
    control = records[records["check"] == "none"]
    assert (control["effective_density"] > 0.1).all(), "a network that trains has paths"
    assert (records["effective_density"] <= records["kept"] / records["prunable"]).all()
    reinit = records[records["check"] == "reinit"]
    assert (reinit["mask_overlap"] == 1).all()
    assert not reinit["identical_to_none"].any()


def test_paths_that_are_not_known_are_null_and_the_report_says_nothing(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(model=f"{HERE}:Fourier", seeds="0", recipe__epochs="1", checks="none") == 0
    [cell] = load_records(tmp_path / "results").to_dict("records")
    assert cell["effective_density"] is None or math.isnan(cell["effective_density"])
    assert cell["status"] == "done"
    assert "fft" in cell["paths_unknown"]
    [report] = (tmp_path / "results" / "reports").glob("*/report.md")
    assert "effective density unknown" in report.read_text()
    assert "path to the output" not in capsys.readouterr().out + report.read_text()
