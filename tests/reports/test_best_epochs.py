"""A ticket for which the test set chose an epoch bears a note that says so."""

from collections.abc import Callable

import pandas as pd
import pytest

from reports.overview import notes
from reports.statistics import summarise


def test_a_note_names_the_epochs_that_test_accuracy_chose(make_record: Callable[..., dict]) -> None:
    rows = [
        make_record("lt", "none", 0.5, seed, 90.0, best_epochs=epochs) for seed, epochs in enumerate(([87], [9, 87]))
    ]
    (cell,) = summarise(pd.DataFrame(rows)).cells
    assert cell.best_epochs == (9, 87)
    (note,) = notes(cell)
    assert "test accuracy chose the epoch" in note
    assert "(epoch 9, 87)" in note


@pytest.mark.parametrize("value", [None, [], "87", [0], ["87"], [float("nan")]])
def test_what_is_no_epoch_is_not_told(make_record: Callable[..., dict], value: object) -> None:
    (cell,) = summarise(pd.DataFrame([make_record("lt", "none", 0.5, 0, 90.0, best_epochs=value)])).cells
    assert not cell.best_epochs
    assert not notes(cell)
