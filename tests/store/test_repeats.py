"""What came out of runs that were trained again stays beside the records."""

from pathlib import Path

import pandas as pd
import pytest

from sanity.store import repeats
from sanity.store.repeats import REPEATS, Repeat, with_repeats

FRAME = pd.DataFrame({"cell": ["a", "b"], "digest": ["1", "2"], "status": "done"})


def repeat(cell: str = "a", recorded: str = "1", again: str = "1", accuracy: float = 90.0) -> Repeat:
    return Repeat(cell, recorded, again, accuracy, accuracy, "AMD EPYC, 2 threads", "2026-01-01T00:00:00Z")


def test_the_last_repeat_of_a_record_counts(tmp_path: Path) -> None:
    for accuracy in (90.0, 91.0):
        repeats.remember(repeat(accuracy=accuracy), tmp_path)
    assert with_repeats(FRAME, tmp_path)["trained_again"].tolist() == [repeat(accuracy=91.0), None]


def test_a_repeat_of_other_weights_is_not_one_of_the_record(tmp_path: Path) -> None:
    repeats.remember(repeat(recorded="3"), tmp_path)
    assert with_repeats(FRAME, tmp_path)["trained_again"].isna().all()


def test_without_repeats_the_frame_stays_as_it_is(tmp_path: Path) -> None:
    assert with_repeats(FRAME, tmp_path) is FRAME


def test_damaged_lines_are_said_and_the_others_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    repeats.remember(repeat(), tmp_path)
    path = tmp_path / REPEATS
    path.write_text('{"cell": "a"}\n[]\n{"half\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert with_repeats(FRAME, tmp_path)["trained_again"].notna().tolist() == [True, False]
    assert [record.message.rpartition(": ")[2] for record in caplog.records] == [
        f"line {number} is no repeat and is not used" for number in (1, 2, 3)
    ]


def test_repeats_go_to_another_folder_without_doubling(tmp_path: Path) -> None:
    assert repeats.carry(tmp_path, tmp_path / "packed") is None
    repeats.remember(repeat(), tmp_path)
    (tmp_path / "packed").mkdir()
    repeats.remember(repeat("b", "2"), tmp_path / "packed")
    for _ in range(2):
        repeats.carry(tmp_path, tmp_path / "packed")
    assert with_repeats(FRAME, tmp_path / "packed")["trained_again"].tolist() == [repeat(), repeat("b", "2")]
