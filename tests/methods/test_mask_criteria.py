"""Mask criteria of Zhou et al. 2019: by hand on six weights, and of the weights that a run starts from."""

from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods.mask_criteria import _SCORES, MaskCriterion, score
from methods.scoring_copy import remember_start
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import prunable
from sanity.run import run
from sanity.store.records import rows

START = torch.tensor([1.0, -2.0, 3.0, 0.5, -0.25, 7.0])
END = torch.tensor([2.0, -1.0, -5.0, 0.75, 0.5, 0.0])  # the last was pruned before
BY_HAND: dict[MaskCriterion, list[float]] = {
    "large_final": [2, 1, 5, 0.75, 0.5, 0],
    "small_final": [-2, -1, -5, -0.75, -0.5, 0],
    "large_init": [1, 2, 3, 0.5, 0.25, 0],
    "small_init": [-1, -2, -3, -0.5, -0.25, 0],
    "large_init_large_final": [3 / 6, 3 / 6, 5 / 6, 2 / 6, 1 / 6, 0],
    "small_init_small_final": [1 / 6, 1 / 6, 0, 3 / 6, 4 / 6, 5 / 6],
    "magnitude_increase": [1, -1, 2, 0.25, 0.25, 0],
    "movement": [1, 1, 8, 0.25, 0.75, 0],
    "large_final_same_sign": [2, 1, 0, 0.75, 0, 0],
    "large_final_diff_sign": [0, 0, 5, 0, 0.5, 0],
    "magnitude_increase_same_sign": [1, -1, 0, 0.25, 0, 0],
    "magnitude_increase_diff_sign": [0, 0, 2, 0, 0.25, 0],
}


def test_every_criterion_is_here() -> None:
    assert set(BY_HAND) == set(_SCORES)


@pytest.mark.parametrize("criterion", BY_HAND)
def test_scores_by_hand(criterion: MaskCriterion) -> None:
    assert score(criterion, START, END).tolist() == pytest.approx(BY_HAND[criterion])


def test_a_network_that_does_not_know_its_start_is_one_line() -> None:
    method = methods.get("partially_trained", criterion="movement")
    with pytest.raises(UserError, match="the weights before training are not known"):
        method.mask(nets.net("perceptron"), nets.batches(), 0.5)


def test_movement_keeps_what_moved() -> None:
    model, start = nets.net("perceptron"), {}
    for name, weight in prunable(model).items():
        start[name] = weight.detach().clone()
        with torch.no_grad():
            weight.view(-1)[::4] += 1
    remember_start(model, start)
    mask = methods.get("partially_trained", criterion="movement").mask(model, nets.batches(), 0.75)
    for name, layer in mask.items():
        assert torch.equal(layer, (prunable(model)[name] != start[name])), name


def test_a_run_ranks_the_weights_that_it_started_from(tmp_path: Path) -> None:
    """By the initial weights a ticket of dense training is that of magnitude pruning at initialisation."""
    keys: dict[str, Any] = {
        "model": "lenet_300_100", "recipe.epochs": 2, "dataset.limit": 150, "dataset.test_limit": 100, "ratio": 0.9,
        "seeds": 0, "device": "cpu", "methods": "magnitude,partially_trained", "checks": "none",
        "results_dir": str(tmp_path),
        "partially_trained.rewind": "init", "partially_trained.criterion": "large_init,movement",
    }  # fmt: skip
    run(keys)
    digests = {row["method"]: row["ticket"] for row in rows(tmp_path)}
    assert digests.pop("partially_trained[rewind=init,criterion=large_init]") == digests["magnitude"]
    assert digests.pop("partially_trained[rewind=init,criterion=movement]") != digests["magnitude"]
