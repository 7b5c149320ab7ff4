"""As many trainers at a time as pay off and memory holds; what was tried for that leaves no trace."""

import logging
import threading
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from sanity.recipes import Recipe
from sanity.training import dispatcher
from sanity.training.checkpoint import Checkpoint
from sanity.training.loop import TrainingResult, TrainingSpec
from sanity.training.setting import Setting
from sanity.training.trainer import Trainer
from tests.training.nets import PASSES, Watched, digits, equal, tiny_conv, trained

RECIPE = Recipe(epochs=2, batch_size=16, weight_decay=1e-3)


def fit(jobs: list[TrainingSpec], recipe: Recipe = RECIPE, **options: Any) -> list[TrainingResult]:
    return trained(jobs, recipe, **options)


def test_rehearsing_leaves_no_trace() -> None:
    setting = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
    trainer = Trainer([TrainingSpec(tiny_conv(), None, 0)], setting, [""], [Checkpoint()])
    trainer.begin_epoch()
    for _ in range(3):
        trainer.take_step()
    before = {**trainer.stacked_model.state(0), "sums": trainer.sums.clone()}
    assert dispatcher.step_time([trainer]) > 0
    assert equal({**trainer.stacked_model.state(0), "sums": trainer.sums.clone()}, before)
    assert trainer.taken == 3


def test_a_rehearsal_that_runs_out_of_memory_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
    trainer = Trainer([TrainingSpec(tiny_conv(), None, 0)], setting, [""], [Checkpoint()])
    before = trainer.stacked_model.state(0)
    monkeypatch.setattr(trainer.stacked_model, "mask_gradients", _out_of_memory)
    with pytest.raises(torch.OutOfMemoryError):
        dispatcher.step_time([trainer])
    assert equal(trainer.stacked_model.state(0), before)
    assert all(parameter.grad is None for parameter in trainer.stacked_model.network.parameters())


def _out_of_memory(*_: object) -> None:
    raise torch.OutOfMemoryError("no memory left")


@pytest.mark.parametrize(
    ("costs", "room", "expected"),
    [
        ({1: 1.0, 2: 1.1, 4: 1.5, 8: 3.1}, 99, 4),
        ({1: 1.0, 2: 1.98}, 99, 1),
        ({1: 1.0, 2: 1.1, 4: 1.5, 6: 1.6}, 99, 6),
        ({1: 1.0, 2: 1.1, 4: 1.5}, 2, 2),
        ({1: 1.0, 2: 1.1, 4: 0.0, 8: 0.1}, 99, 2),
    ],
)
def test_trainers_are_added_while_it_pays_and_there_is_room(costs: dict[int, float], room: int, expected: int) -> None:
    """A cost of 0 stands for memory that ends while the step is timed: more trainers do not pay then."""

    def cost(trainers: Sequence[int]) -> float:
        if costs[len(trainers)] == 0:
            _out_of_memory()
        return costs[len(trainers)]

    waiting = list(range(max(costs)))
    trainers = dispatcher.widen(
        waiting, lambda groups, beside: list(groups), lambda have, more: have + more <= room, cost
    )
    assert trainers == waiting[:expected]


def test_trainers_that_memory_does_not_hold_are_not_waited_for() -> None:
    """The third cannot be built: two go on, although four would pay."""
    trainers = dispatcher.widen(
        range(4), lambda groups, beside: [group for group in groups if group < 2], lambda *_: True, lambda built: 1.0
    )
    assert trainers == [0, 1]


@pytest.mark.usefixtures("two_threads")
def test_out_of_memory_means_fewer_side_by_side_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Memory holds one network, not several: several have a worker thread each."""

    def tight() -> None:
        if threading.current_thread().name.startswith("trainer"):
            _out_of_memory()

    jobs = [TrainingSpec(Watched(seed), None, seed) for seed in range(4)]
    expected = fit(jobs)
    PASSES.update(dict.fromkeys(range(4), tight))
    try:
        with caplog.at_level(logging.WARNING):
            results = fit(jobs, runs_per_device=4)
    finally:
        PASSES.clear()
    assert caplog.messages == [
        f"out of memory with {runs} runs side by side: going on with {runs // 2}" for runs in (4, 2)
    ]
    assert all(equal(one.weights, other.weights) for one, other in zip(results, expected, strict=True))


def test_a_single_job_that_does_not_fit_says_so() -> None:
    PASSES[0] = _out_of_memory
    try:
        with pytest.raises(torch.OutOfMemoryError):
            fit([TrainingSpec(Watched(0), None, 0)])
    finally:
        PASSES.clear()
