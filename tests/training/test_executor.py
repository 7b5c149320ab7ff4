"""On a CPU, trainers take their steps at the same time; what goes wrong in one is said once all have stopped."""

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sanity.recipes import Recipe
from sanity.training import cpu_threads
from sanity.training.loop import Interrupted, TrainingResult, TrainingSpec
from tests.training.nets import PASSES, Noise, Watched, equal, half_mask, tiny_conv, trained

RECIPE = Recipe(epochs=2, batch_size=16)
PATIENCE = 20.0  # seconds that a thread waits for another; only a failing test waits so long

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.fixture
def threads() -> Iterator[Counter[str]]:
    """How many steps each thread takes."""
    seen: Counter[str] = Counter()
    PASSES.update({seed: lambda: seen.update([threading.current_thread().name]) for seed in range(3)})
    yield seen
    PASSES.clear()


def meet(seeds: tuple[int, int]) -> None:
    """Has each training pass of these networks wait for one of the other; `threads` puts it back."""
    barrier = threading.Barrier(2, timeout=PATIENCE)
    for seed in seeds:
        count = PASSES[seed]

        def passes(count: Callable[[], object] = count) -> None:
            assert torch.get_num_threads() == 1
            count()
            barrier.wait()

        PASSES[seed] = passes


def fit(
    count: int = 2, build: Callable[[int], nn.Module] = tiny_conv, recipe: Recipe = RECIPE, **options: Any
) -> list[TrainingResult]:
    jobs = [TrainingSpec(build(seed), half_mask(build(seed)), seed) for seed in range(count)]
    return trained(jobs, recipe, **options)


def no_worker_is_left() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name.startswith("trainer")]


@pytest.mark.parametrize("deterministic", [False, True])
def test_small_networks_use_every_thread(threads: Counter[str], deterministic: bool) -> None:
    alone = fit(2, Watched, deterministic=deterministic, runs_per_device=1)
    assert set(threads) == {threading.main_thread().name}
    threads.clear()
    meet((0, 1))
    together = fit(2, Watched, deterministic=deterministic)
    assert len(threads) == 2
    assert torch.get_num_threads() == 2
    assert no_worker_is_left()
    for one, other in zip(alone, together, strict=True):
        assert equal(one.weights, other.weights)
        assert one.curve == other.curve


@pytest.mark.parametrize("width", [None, 2])
def test_networks_that_draw_wait_for_each_other_and_repeat_to_the_bit(threads: Counter[str], width: int | None) -> None:
    """They share torch's global generator."""

    def noisy(seed: int) -> nn.Module:
        return Watched(seed, Noise())

    one, other = (fit(2, noisy, deterministic=True, runs_per_device=width) for _ in range(2))
    assert set(threads) == {threading.main_thread().name}
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
        trained(jobs, RECIPE, precision="auto", finished=lambda job, _: said.append(job),
              stop=lambda: bool(said) and next(asked) > 8)  # fmt: skip
    assert said == [0]


def test_trainers_stopped_at_different_steps_go_on_as_if_never_stopped(tmp_path: Path, threads: Counter[str]) -> None:
    def jobs(folder: Path | None) -> list[TrainingSpec]:
        return [TrainingSpec(Watched(seed), None, seed, directory=folder and folder / str(seed)) for seed in range(2)]

    def run(folder: Path | None, **options: Any) -> list[TrainingResult]:
        return trained(jobs(folder), RECIPE, **options)

    expected = run(None)
    threads.clear()
    ahead, behind = iter(range(100)), iter(range(100))
    second_step, fifth_step, counts = threading.Event(), threading.Event(), dict(PASSES)

    def first_network() -> None:
        if next(ahead) == 4:
            assert second_step.wait(PATIENCE)
            fifth_step.set()

    def second_network() -> None:
        if next(behind) == 1:
            second_step.set()
            assert fifth_step.wait(PATIENCE)

    PASSES.update({0: first_network, 1: second_network})
    with pytest.raises(Interrupted):
        run(tmp_path, stop=fifth_step.is_set)
    assert next(ahead) == 5
    assert next(behind) == 2
    PASSES.update(counts)
    results = run(tmp_path)
    assert sum(threads.values()) == 2 * 14 - 5 - 2, "steps that were taken are not taken again"
    assert all(equal(one.weights, other.weights) for one, other in zip(results, expected, strict=True))


def test_an_error_in_one_trainer_ends_all(threads: Counter[str]) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    count = PASSES[1]
    PASSES[1] = lambda: fails() if sum(threads.values()) > 2 else count()
    with pytest.raises(ZeroDivisionError):
        fit(2, Watched, dataclasses.replace(RECIPE, epochs=1000))
    assert no_worker_is_left()


def test_a_stop_reaches_every_thread() -> None:
    asked = iter(range(1000))
    with pytest.raises(Interrupted):
        fit(2, stop=lambda: next(asked) == 3)
    assert no_worker_is_left()
