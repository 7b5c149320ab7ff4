"""What a search takes stands in the record of every cell: its passes, and the trainings that it starts from."""

from pathlib import Path
from typing import Any

import pytest

from sanity.config import from_mapping
from sanity.grid import stored
from sanity.grid.search_cost import search_cost
from sanity.grid.tasks import own_searches
from sanity.run import prepare, run

KEYS: dict[str, Any] = {
    "model": "lenet_300_100", "recipe.epochs": 4, "dataset.limit": 200, "dataset.test_limit": 50, "seeds": 0,
    "device": "cpu", "ratio": 0.8,
}  # fmt: skip
OWN = """
import torch
import torch.nn.functional as F


def mine(model, loader, ratio):
    images, targets = next(iter(loader))
    F.cross_entropy(model(images[:7]), targets[:7]).backward()
    model(images[:9])
    scores = {name: weight.grad.abs() for name, weight in model.named_parameters() if weight.dim() > 1}
    whole = torch.cat([score.flatten() for score in scores.values()])
    line = whole.sort(descending=True).values[round((1 - ratio) * len(whole)) - 1]
    return {name: score >= line for name, score in scores.items()}
"""


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    root = tmp_path_factory.mktemp("costs")
    (root / "own.py").write_text(OWN)
    keys = {
        **KEYS,
        "methods": f"dense,random,snip,synflow,partially_trained,hybrid_tickets,set,{root / 'own.py'}:mine",
        "snip.scored_at": "1ep",
        "partially_trained.rounds": 2,
        "partially_trained.rewind": "weights",
        "partially_trained.rewind_epoch": 1,
        "results_dir": str(root / "results"),
    }
    frame = run(keys)
    assert set(frame["status"]) == {"done"}
    rows: list[dict[str, Any]] = [dict(row) for _, row in frame.iterrows()]
    return {row["method"].partition("[")[0].rpartition("/")[2]: row for row in rows}


def test_searches_and_the_trainings_before_them_are_told_apart(costs: dict[str, dict[str, Any]]) -> None:
    whole = 4 * 200
    found = {name: (row["search_cost"]["gradients"], row["search_cost"]["before"]) for name, row in costs.items()}
    assert found == {
        "dense": (0, 0),
        "random": (0, 0),
        "snip": (100, 200),  # on the network of the first epoch
        "synflow": (100, 0),
        "partially_trained": (0, whole + 3 * 200),  # dense, then a round from the first epoch on
        "hybrid_tickets": (0, whole),
        "set": (0, 0),  # in its training
        "own.py:mine": (pytest.approx(7 + 9 / 3), 0),  # called twice, to see whether it repeats
    }
    assert {row["search_cost"]["schedule"] for row in costs.values()} == {whole}
    assert costs["partially_trained"]["search_cost"]["training"] == 3 * 200


def test_operations_are_those_of_kept_weights_beside_the_whole_network(costs: dict[str, dict[str, Any]]) -> None:
    prunable = 64 * 300 + 300 * 100 + 100 * 10
    for name, row in costs.items():
        assert row["operations"]["whole"] == 2 * prunable
        assert row["operations"]["kept"] == pytest.approx(2 * row["kept"])
        assert row["kept"] == pytest.approx(prunable if name == "dense" else 0.2 * prunable, abs=1)


def test_what_an_older_version_did_not_count_is_not_known(tmp_path: Path) -> None:
    keys = {**KEYS, "methods": "snip", "recipe.epochs": 1, "results_dir": str(tmp_path)}
    run(keys)
    experiment, (cell, *_) = prepare(from_mapping(keys))
    (search,) = own_searches(cell, experiment)
    path = stored.mask_folder(experiment, search.key) / "ticket.json"
    facts = experiment.store.read(path)
    assert facts is not None
    assert search_cost(cell, experiment)["gradients"] == facts.pop("passes")["forward"] == 100
    experiment.store.write(path, {name: value for name, value in facts.items() if name != "checksum"})
    assert search_cost(cell, experiment)["gradients"] is None
