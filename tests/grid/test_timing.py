"""What a plan announces does not count the time that other work takes from the machine."""

from pathlib import Path

import pytest
import torch

from sanity.grid import timing
from sanity.grid.timing import Duration, Pace, Stopwatch
from sanity.run import main

CPU = torch.device("cpu")


def clocks(monkeypatch: pytest.MonkeyPatch, seconds: list[float], waited: list[float | None]) -> None:
    """Lets the clock show these seconds, one after the other, and the process have waited so long at each look."""
    monkeypatch.setattr("sanity.grid.timing.time.perf_counter", iter(seconds).__next__)
    monkeypatch.setattr(timing, "without_a_core", iter(waited).__next__)


@pytest.mark.parametrize(
    ("waited", "own", "slowed"),
    [([1.0, 1.0], 0.5, False), ([1.0, 9.0], 0.1, True), ([None, None], 0.5, False), ([0.0, 11.0], 0.0, True)],
)
def test_time_without_a_core_is_not_the_works_own(
    monkeypatch: pytest.MonkeyPatch, waited: list[float | None], own: float, slowed: bool
) -> None:
    clocks(monkeypatch, [100.0, 110.0], waited)
    taken = Stopwatch().read(CPU, times=20)
    assert taken.clock == pytest.approx(0.5)
    assert taken.own == pytest.approx(own)
    assert taken.is_slowed is slowed


def test_an_epoch_is_its_steps_and_a_test() -> None:
    pace = Pace(step=Duration(0.2, 0.1), test=Duration(3.0, 1.0), steps=20)
    ahead = pace.of(epochs=2.5, steps=100)
    assert (ahead.clock, ahead.own) == pytest.approx((2.5 * 23, 2.5 * 11))


@pytest.mark.parametrize("slowed", [False, True])
def test_a_plan_says_both_times_where_other_work_held_it_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, slowed: bool
) -> None:
    step = Duration(8.0 if slowed else 1.0, 1.0)
    monkeypatch.setattr("sanity.grid.plan.measured", lambda experiment: Pace(step, Duration(0.0, 0.0), 20))
    grid = ["dataset=digits", "dataset.limit=200", "model=lenet_300_100", "methods=random", "ratio=0.9", "seeds=0"]
    assert main([*grid, "recipe.epochs=9", "recipe.batch_size=50", f"results_dir={tmp_path}", "dry_run=true"]) == 0
    said = capsys.readouterr().out
    assert ("if nothing else runs there, and 9 min 36 s beside what runs there now, by 20 steps" in said) is slowed
    assert "About 1 min 12 s on" in said
