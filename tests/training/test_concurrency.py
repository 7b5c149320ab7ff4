"""Several tickets at once against each alone: stacks, trainings side by side, and how many there are and why."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sanity.recipes import Recipe
from sanity.training import concurrency, dispatcher
from sanity.training.checkpoint import Checkpoint
from sanity.training.compute import Compute
from sanity.training.loop import Interrupted, TrainingResult, TrainingSpec
from sanity.training.setting import Setting
from tests.training.nets import Mean, Noise, Rows, digits, equal, half_mask, tiny_conv, tiny_mlp, trained

RECIPE = Recipe(epochs=2, batch_size=16, weight_decay=1e-3)
SETTING = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
STEPS = 7  # of an epoch: 101 examples in batches of 16


def fit(jobs: list[TrainingSpec], recipe: Recipe = RECIPE, **options: Any) -> list[TrainingResult]:
    return trained(jobs, recipe, **options)


def tickets(count: int, density: float = 0.5, **fields: Any) -> list[TrainingSpec]:
    """Different weights, masks and data orders; at half density one of them is dense, the others' stack is then too."""
    models = [tiny_mlp(seed) for seed in range(count)]
    masks = [half_mask(model, seed, density) for seed, model in enumerate(models)]
    dense = density == 0.5
    return [
        TrainingSpec(model, None if dense and seed == 1 else mask, seed=seed, **fields)
        for seed, (model, mask) in enumerate(zip(models, masks, strict=True))
    ]


@pytest.mark.parametrize("density", [0.5, 0.1])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adadelta"])
def test_a_stack_trains_each_ticket_as_if_alone(optimizer: Any, density: float) -> None:
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer, lr=0.02, crop_padding=1, decay_norm=False)
    jobs = tickets(3, density, snapshots=frozenset({0, STEPS, STEPS + 2}))
    assert dispatcher.groups(jobs, [Checkpoint()] * 3, SETTING, 4) == [[0, 1, 2]]
    alone = [fit([job], recipe)[0] for job in jobs]
    together = fit(jobs, recipe)
    for one, other, job in zip(alone, together, jobs, strict=True):
        torch.testing.assert_close(one.snapshots, other.snapshots, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)
        for row, expected in zip(other.curve, one.curve, strict=True):
            assert row == pytest.approx(expected, rel=1e-3)
        for name, keep in (job.mask or {}).items():
            assert torch.count_nonzero(other.weights[name][~keep]) == 0


def network(kind: str, seed: int) -> nn.Module:
    if kind == "noisy convolution":
        return nn.Sequential(tiny_conv(seed), Noise())
    if kind == "rows":
        return Rows(seed)
    return nn.Sequential(tiny_mlp(seed), {"mean": Mean(), "noise": Noise(), "dropout": nn.Dropout(0.2)}[kind])


@pytest.mark.parametrize("width", [None, 2])
@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("kind", ["mean", "noise", "dropout", "noisy convolution", "rows"])
def test_company_changes_no_training(kind: str, deterministic: bool, width: int | None) -> None:
    jobs = [TrainingSpec(network(kind, seed), half_mask(network(kind, seed)), seed) for seed in range(3)]
    alone = [fit([job], deterministic=deterministic)[0].weights for job in jobs]
    together = [result.weights for result in fit(jobs, deterministic=deterministic, runs_per_device=width)]
    if kind == "rows" and not deterministic:  # stacked
        torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)
    else:
        assert all(map(equal, together, alone))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("model", "options", "expected", "says"),
    [
        (tiny_mlp(), {}, (4, 2, 1), "stacks of up to 4"),
        (tiny_conv(), {}, (1, 2, 1), "plain linear layers"),
        (tiny_mlp(), {"deterministic": True}, (1, 2, 1), "rounding"),
        (tiny_mlp(), {"schedule": "plateau"}, (1, 2, 1), "follows its own loss"),
        (tiny_mlp(), {"runs_per_device": 3}, (4, 3, 1), "as runs_per_device says"),
        (network("mean", 0), {}, (1, 2, 1), "mixes the examples"),
        (network("noise", 0), {"runs_per_device": 3}, (1, 1, 1), "random numbers"),
        (tiny_conv(), {"batch": 10**6}, (1, 1, 2), "shared among threads"),
        (tiny_mlp(), {"batch": 10**6}, (4, 2, 2), "stacks of up to 4"),
    ],
)
def test_how_trainings_share_the_processor_and_why(
    model: nn.Module, options: dict[str, Any], expected: tuple[int, int, int], says: str
) -> None:
    options = {"batch": 16, "schedule": "steps", **options}
    recipe = dataclasses.replace(RECIPE, batch_size=options.pop("batch"), schedule=options.pop("schedule"))
    chosen = concurrency.choose(model, digits()[0], recipe, Compute("cpu", "fp32", **options))
    assert (chosen.stack, chosen.width, chosen.threads) == expected
    assert chosen.trainings == expected[0] * expected[1]
    assert says in chosen.why


@pytest.mark.parametrize("density", [0.5, 0.1])
def test_a_stack_in_bf16_stays_near_fp32(density: float) -> None:
    for half, full in zip(fit(tickets(3, density), precision="bf16"), fit(tickets(3, density)), strict=True):
        assert half.curve[-1]["train_loss"] == pytest.approx(full.curve[-1]["train_loss"], rel=0.02)
        assert half.precision == "bf16"


def test_jobs_with_other_learning_rates_are_not_stacked() -> None:
    jobs = [*tickets(2), *tickets(2, learning_rate=0.1), *tickets(1, learning_rate=0.2)]
    assert dispatcher.groups(jobs, [Checkpoint()] * 5, SETTING, 4) == [[0, 1], [2, 3], [4]]


def test_jobs_at_other_places_of_the_schedule_are_not_stacked() -> None:
    jobs = [*tickets(2), *tickets(2, start=STEPS), *tickets(1, length=STEPS), *tickets(1, start=STEPS + 1)]
    at = [Checkpoint()] * 6
    assert dispatcher.groups(jobs, at, SETTING, 4) == [[0, 1], [2, 3], [4], [5]]
    assert dispatcher.groups(jobs, at, SETTING, 1) == [[0], [1], [2], [3], [4], [5]]
    assert dispatcher.groups(tickets(2), [Checkpoint(), Checkpoint(epoch=1)], SETTING, 4) == [[0], [1]]


def test_many_tickets_make_stacks_of_about_equal_size() -> None:
    parts = dispatcher.groups(tickets(9), [Checkpoint()] * 9, SETTING, 4)
    assert sorted(len(part) for part in parts) == [3, 3, 3]
    assert sorted(number for part in parts for number in part) == list(range(9))


def test_dense_and_sparse_tickets_make_stacks_of_their_own() -> None:
    """One dense ticket would have all weights of the others' stack carried along."""
    jobs = [*tickets(3, 0.1), *tickets(3)]
    assert dispatcher.groups(jobs, [Checkpoint()] * 6, SETTING, 4) == [[0, 1, 2], [3, 4, 5]]


def test_in_a_stack_one_ticket_may_diverge(tmp_path: Path) -> None:
    jobs = [dataclasses.replace(job, directory=tmp_path / str(job.seed)) for job in tickets(3)]
    with torch.no_grad():
        next(jobs[0].model.parameters())[:] = torch.inf
    bad, *good = fit(jobs, checkpoint_minutes=0)
    assert (bad.diverged_epoch, bad.curve) == (1, [])
    for one, other in zip(good, (fit([job])[0] for job in tickets(3)[1:]), strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("build", [tiny_conv, tiny_mlp])
def test_trainings_side_by_side_do_what_each_does_alone(build: Any) -> None:
    jobs = [TrainingSpec(build(seed), half_mask(build(seed)), seed, start=seed * STEPS - seed) for seed in range(3)]
    jobs[0] = dataclasses.replace(jobs[0], snapshots=frozenset({STEPS}))
    alone = [fit([job], dataclasses.replace(RECIPE, epochs=4))[0] for job in jobs]
    seen: list[int] = []
    options = {"runs_per_device": 2, "finished": lambda job, result: seen.append(job)}
    together = fit(jobs, dataclasses.replace(RECIPE, epochs=4), **options)
    for one, other in zip(alone, together, strict=True):
        assert equal(one.weights, other.weights)
        assert one.curve == other.curve
        assert one.snapshots.keys() == other.snapshots.keys()
    assert sorted(seen) == [0, 1, 2]


@pytest.mark.parametrize("stacked", [False, True])
def test_side_by_side_and_interrupted_they_end_as_if_never(tmp_path: Path, stacked: bool) -> None:
    def jobs(directory: Path | None) -> list[TrainingSpec]:
        models = [tiny_mlp(seed) if stacked else tiny_conv(seed) for seed in range(3)]
        return [
            TrainingSpec(model, half_mask(model), seed, directory=directory and directory / str(seed))
            for seed, model in enumerate(models)
        ]

    expected = fit(jobs(None), runs_per_device=2)
    steps = iter(range(1000))
    for _ in range(30):
        try:
            results = fit(jobs(tmp_path), runs_per_device=2, stop=lambda: next(steps) % 5 == 4)
            break
        except Interrupted:
            pass
    assert next(steps) >= 14
    for one, other in zip(results, expected, strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-4, atol=1e-5)


def test_a_tickets_checkpoint_is_the_same_in_a_stack_and_alone(tmp_path: Path) -> None:
    """Begun three together, one goes on alone, the other two as a stack: groups may differ from process to process."""
    jobs = [dataclasses.replace(job, directory=tmp_path / str(job.seed)) for job in tickets(3, 0.1)]
    recipe = dataclasses.replace(RECIPE, optimizer="adam", lr=0.01)
    expected = fit(tickets(3, 0.1), recipe)
    steps = iter(range(1000))
    with pytest.raises(Interrupted):
        fit(jobs, recipe, stop=lambda: next(steps) == 9)
    results = [*fit(jobs[:1], recipe), *fit(jobs[1:], recipe)]
    assert [result.resumed_from for result in results] == [1, 1, 1]
    for one, other in zip(results, expected, strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)
