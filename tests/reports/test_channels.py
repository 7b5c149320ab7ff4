"""What reports say of tickets that lost whole channels: how much smaller, and how many times as fast, the rest is."""

from collections.abc import Callable

import pandas as pd
import pytest

from reports.flat import flat
from reports.overview import notes
from reports.statistics import summarise

SIZES = {"parameters": 250, "dense_parameters": 1000, "flops": 30, "dense_flops": 60}
SPEED = {"masked_forward_s": 0.4, "small_forward_s": 0.2, "masked_step_s": 0.9, "small_step_s": 0.3, "batch": 32,
         "device": "some CPU, 1 thread"}  # fmt: skip


def frame(make: Callable[..., dict], *speeds: object) -> pd.DataFrame:
    made = [{**SIZES, "speed": speed} if speed is not None else SIZES for speed in speeds]
    return pd.DataFrame([make("l1", "none", 0.5, seed, 90.0, small=small) for seed, small in enumerate(made)])


def test_a_note_and_the_csv_say_how_many_times_as_fast(make_record: Callable[..., dict]) -> None:
    faster = {**SPEED, "small_forward_s": 0.1}
    summary = summarise(frame(make_record, SPEED, SPEED, faster))
    (cell,) = summary.cells
    small, fast = notes(cell)
    assert "25 % of its parameters and 50 % of its operations" in small
    assert "a forward pass is 2.0 and a training step 3.0 times as fast" in fast
    assert "32 images; some CPU, 1 thread" in fast
    row = flat(cell, summary)
    assert (row["small_parameters"], row["small_operations"]) == (0.25, 0.5)
    assert (row["forward_speed_up"], row["step_speed_up"]) == (pytest.approx(2), pytest.approx(3))


@pytest.mark.parametrize("speed", [None, {**SPEED, "small_step_s": "soon"}, {**SPEED, "masked_step_s": 0}, 3])
def test_records_without_a_measurement_say_nothing_of_speed(make_record: Callable[..., dict], speed: object) -> None:
    summary = summarise(frame(make_record, speed))
    (cell,) = summary.cells
    assert len(notes(cell)) == 1
    row = flat(cell, summary)
    assert row["step_speed_up"] != row["step_speed_up"]  # NaN


def test_tickets_that_keep_their_channels_have_no_such_numbers(make_record: Callable[..., dict]) -> None:
    summary = summarise(pd.DataFrame([make_record("grasp", "none", 0.9, 0, 90.0)]))
    assert flat(summary.cells[0], summary)["small_parameters"] is None
