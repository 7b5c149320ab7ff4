"""The learning rate at literal positions, and beside torch's own schedules."""

import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sanity.recipes import Recipe
from sanity.training.lr_schedule import rate

STEPS: dict[str, Any] = {"epochs": 4, "lr": 1.0, "milestones": (2, 3.5)}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (STEPS, {0: 1, 1.999: 1, 2: 0.1, 3.4: 0.1, 3.5: 0.01, 4: 0.01, 9: 0.01}),
        ({**STEPS, "gamma": 0.5}, {0: 1, 2: 0.5, 3.5: 0.25}),
        ({**STEPS, "warmup_epochs": 2}, {0: 0, 0.5: 0.25, 1: 0.5, 1.5: 0.75, 2: 0.1}),
        ({"epochs": 4, "lr": 2.0, "schedule": "constant"}, {0: 2, 3: 2, 8: 2}),
        ({"epochs": 4, "lr": 1.0, "schedule": "cosine"}, {0: 1, 1: 0.853553, 2: 0.5, 4: 0, 8: 0}),
        ({"epochs": 5, "lr": 1.0, "schedule": "cosine", "warmup_epochs": 1}, {0.5: 0.5, 1: 1, 3: 0.5, 5: 0}),
        (
            {"epochs": 10, "lr": 1.0, "schedule": "one_cycle"},
            {0: 0.04, 1.5: 0.52, 3: 1, 6.5: 0.500002, 10: 4e-6, 12: 4e-6},
        ),
        ({"epochs": 10, "lr": 1.0, "schedule": "one_cycle", "warmup_epochs": 5}, {2.5: 0.52, 5: 1, 7.5: 0.500002}),
    ],
)
def test_rates_at_positions(fields: dict[str, Any], expected: dict[float, float]) -> None:
    assert {at: rate(Recipe(**fields), at) for at in expected} == pytest.approx(expected, abs=1e-6)


def test_a_milestone_within_an_epoch_takes_effect_at_its_very_step() -> None:
    recipe = Recipe(epochs=250, milestones=(25_000 / 540,))
    rates = [rate(recipe, 46 + step / 540) for step in range(540)]
    assert next(step for step in range(540) if rates[step] < 0.05) == 25_000 - 46 * 540


@settings(deadline=None)
@given(
    losses=st.lists(st.floats(0.1, 3.0), max_size=30),
    patience=st.integers(1, 4),
    watched=st.sampled_from(["train", "test"]),
)
def test_plateau_drops_where_torchs_does(losses: list[float], patience: int, watched: Any) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, eps=0, min_lr=0.1)
    fields: dict[str, Any] = {"gamma": 0.5, "patience": patience, "plateau_on": watched, "min_lr": 0.1}
    recipe = Recipe(epochs=100, lr=1.0, schedule="plateau", **fields)
    for epoch, loss in enumerate(losses, 1):
        torchs.step(loss)
        curve = [{"train_loss": 1.0, "test_loss": 1.0, f"{watched}_loss": seen} for seen in losses[:epoch]]
        assert rate(recipe, epoch, curve) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_one_cycle_is_torchs_but_for_its_last_step() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=1001, cycle_momentum=False)
    recipe = Recipe(epochs=10, lr=1.0, schedule="one_cycle")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no step of the optimizer in between
        for step in range(1001):
            assert rate(recipe, step / 100) == pytest.approx(optimizer.param_groups[0]["lr"], abs=0.003)
            if step < 1000:
                torchs.step()
