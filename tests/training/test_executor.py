"""On a CPU, trainers take their steps at the same time; what goes wrong in one is said once all have stopped."""

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sanity.recipes import Recipe
from sanity.training import cpu_threads
from sanity.training.loop import Interrupted, TrainingResult, TrainingSpec, train
from sanity.training.trainer import Trainer
from tests.training.nets import digits, equal, half_mask, tiny_conv

RECIPE = Recipe(epochs=2, batch_size=16)

pytestmark = pytest.mark.usefixtures("two_threads")


class Noisy(nn.Module):
    """Draws without any module of torch's that is known for it."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(inputs, 0.2, self.training)


def fit(
    count: int = 2, build: Callable[[int], nn.Module] = tiny_conv, recipe: Recipe = RECIPE, **options: Any
) -> list[TrainingResult]:
    jobs = [TrainingSpec(build(seed), half_mask(build(seed)), seed) for seed in range(count)]
    return train(jobs, *digits(), recipe, **{"device": "cpu", "precision": "fp32", **options})


def most_at_a_time(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of trainers within a step, each time that one began; a step waits for company, but not for ever."""
    inside, seen, company = [0], [0], threading.Condition()
    step = Trainer.take_step

    def watched(self: Trainer) -> None:
        with company:
            inside[0] += 1
            seen.append(inside[0])
            company.notify_all()
            company.wait_for(lambda: max(seen) > 1, timeout=0.05)
        assert torch.get_num_threads() == 1
        step(self)
        with company:
            inside[0] -= 1

    monkeypatch.setattr(Trainer, "take_step", watched)
    return seen


def test_small_networks_use_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = fit(1)[0]
    seen = most_at_a_time(monkeypatch)
    together = fit(3)
    assert max(seen) == 2
    assert torch.get_num_threads() == 2
    assert equal(alone.weights, together[0].weights)
    assert alone.curve == together[0].curve


def test_deterministic_ones_too_for_each_is_alone_in_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [one.weights for one in fit(2, deterministic=True, runs_per_device=1)]
    seen = most_at_a_time(monkeypatch)
    assert all(map(equal, [one.weights for one in fit(2, deterministic=True)], expected))
    assert max(seen) == 2


def test_dropout_draws_from_one_source_so_its_networks_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = most_at_a_time(monkeypatch)
    fit(2, lambda seed: nn.Sequential(tiny_conv(seed), nn.Dropout(0.1)))
    assert max(seen) == 1


@pytest.mark.parametrize("width", [None, 2])
def test_networks_that_draw_repeat_to_the_bit(width: int | None) -> None:
    one, other = (
        fit(2, lambda seed: nn.Sequential(tiny_conv(seed), Noisy()), deterministic=True, runs_per_device=width)
        for _ in range(2)
    )
    assert all(equal(a.weights, b.weights) for a, b in zip(one, other, strict=True))


def test_company_changes_no_bit_of_a_deterministic_training() -> None:
    def wide(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 8192), nn.ReLU(), nn.Linear(8192, 10))

    recipe = dataclasses.replace(RECIPE, batch_size=90)
    assert not cpu_threads.is_small(wide(0), (1, 8, 8), 90)
    alone, beside = (fit(count, wide, deterministic=True, recipe=recipe)[0] for count in (1, 2))
    assert equal(alone.weights, beside.weights)


def test_what_is_through_is_said_while_others_go_on() -> None:
    jobs = [TrainingSpec(tiny_conv(seed), None, seed, length=length) for seed, length in enumerate((7, 42))]
    said: list[int] = []
    asked = iter(range(10_000))
    with pytest.raises(Interrupted):
        train(jobs, *digits(), RECIPE, device="cpu", finished=lambda job, _: said.append(job),
              stop=lambda: bool(said) and next(asked) > 8)  # fmt: skip
    assert said == [0]


def test_lanes_stopped_at_different_steps_go_on_as_if_never_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def jobs(folder: Path | None) -> list[TrainingSpec]:
        return [TrainingSpec(tiny_conv(seed), None, seed, directory=folder and folder / str(seed)) for seed in range(2)]

    expected = train(jobs(None), *digits(), RECIPE, device="cpu", precision="fp32")
    step, taken = Trainer.take_step, {0: 0, 1: 0}

    def counted(self: Trainer) -> None:
        step(self)
        taken[self.jobs[0].seed] += 1
        time.sleep(0.05 * self.jobs[0].seed)  # the second falls behind

    monkeypatch.setattr(Trainer, "take_step", counted)
    with pytest.raises(Interrupted):
        train(jobs(tmp_path), *digits(), RECIPE, device="cpu", precision="fp32", stop=lambda: taken[0] >= 4)
    assert taken[0] > taken[1]
    results = train(jobs(tmp_path), *digits(), RECIPE, device="cpu", precision="fp32")
    assert all(equal(one.weights, other.weights) for one, other in zip(results, expected, strict=True))


def test_an_error_in_one_lane_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer.take_step

    def failing(self: Trainer) -> None:
        if self.jobs[0].seed == 1 and self.taken == 2:
            raise ZeroDivisionError
        step(self)

    monkeypatch.setattr(Trainer, "take_step", failing)
    with pytest.raises(ZeroDivisionError):
        fit(2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trainer")]


def test_a_stop_reaches_every_thread() -> None:
    asked = iter(range(1000))
    with pytest.raises(Interrupted):
        fit(2, stop=lambda: next(asked) == 3)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trainer")]
