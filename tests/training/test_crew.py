"""On a CPU, lanes take their steps at the same time; what goes wrong in one is said once all have stopped."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from training_nets import digits, equal, half_mask, tiny_conv, tiny_mlp

from sanity import threads
from sanity.lane import Lane
from sanity.recipes import Recipe
from sanity.training import Interrupted, Job, Trained, train

RECIPE = Recipe(epochs=2, batch_size=16)

pytestmark = pytest.mark.usefixtures("two_threads")


def fit(count: int = 2, build: Callable[[int], nn.Module] = tiny_conv, **options: Any) -> list[Trained]:
    jobs = [Job(build(seed), half_mask(build(seed)), seed) for seed in range(count)]
    return train(jobs, *digits(), RECIPE, **{"device": "cpu", "precision": "fp32", **options})


def most_at_a_time(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of lanes within a step, each time that one began; a step waits for company, but not for ever."""
    inside, seen, company = [0], [0], threading.Condition()
    step = Lane.take_step

    def watched(self: Lane) -> None:
        with company:
            inside[0] += 1
            seen.append(inside[0])
            company.notify_all()
            company.wait_for(lambda: max(seen) > 1, timeout=0.05)
        assert torch.get_num_threads() == 1
        step(self)
        with company:
            inside[0] -= 1

    monkeypatch.setattr(Lane, "take_step", watched)
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


def test_large_layers_share_the_threads_instead_unless_they_are_stacks() -> None:
    assert threads.to_spare(tiny_conv(), (1, 8, 8), 16) == 2
    assert threads.to_spare(tiny_conv(), (1, 8, 8), 10**6) == 1
    assert threads.to_spare(tiny_mlp(), (1, 8, 8), 10**6) == 2


def test_an_error_in_one_lane_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Lane.take_step

    def failing(self: Lane) -> None:
        if self.jobs[0].seed == 1 and self.step == 2:
            raise ZeroDivisionError
        step(self)

    monkeypatch.setattr(Lane, "take_step", failing)
    with pytest.raises(ZeroDivisionError):
        fit(2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def test_a_stop_reaches_every_thread() -> None:
    asked = iter(range(1000))
    with pytest.raises(Interrupted):
        fit(2, stop=lambda: next(asked) == 3)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]
