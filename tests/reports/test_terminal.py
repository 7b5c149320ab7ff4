"""The terminal table: every cell in it, within 100 columns, without colour where nobody can see it."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports import terminal


def printed(frame: pd.DataFrame, width: int = terminal.WIDTH) -> str:
    file = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "WIDTH", width)
        reports.Report(frame).show(file)
    return file.getvalue()


def test_piped_it_is_plain_and_within_100_columns(frame: pd.DataFrame) -> None:
    text = printed(frame)
    assert "\x1b" not in text
    table, _, command = text.partition("  python -m sanity.run ")
    assert max(map(len, table.splitlines())) <= 100
    assert "\n" not in command.strip()  # a command to be copied stays on one line


def test_the_last_lines_are_the_answer_the_files_and_what_to_do_next_once_each(
    make_record: Callable[..., dict],
) -> None:
    rows = [make_record("grasp", check, 0.98, seed, 98.0 - (5 + by) * (check != "none"))
            for check in ("none", "invert") for seed, by in enumerate((0.0, 0.1, -0.1))]  # fmt: skip
    file = io.StringIO()
    reports.Report(pd.DataFrame(rows)).show(file, notes=["3 seeds were spent"], files=[Path("reports/report.html")])
    text = file.getvalue()
    parts = [
        "3 seeds were spent",
        "Does GraSP's ticket depend on whether the highest or the lowest scores are kept?",
        "Yes: keeping the lowest scores",
        "  reports/report.html",
        "What to do next",
        "Every comparison is settled",
    ]
    assert [text.count(part) for part in parts] == [1] * len(parts)
    assert sorted(parts, key=text.index) == parts
    assert text.rstrip().endswith("would change no verdict.")


def test_every_cell_and_every_flaw_is_in_it(frame: pd.DataFrame) -> None:
    text = printed(frame)
    lines = [line.split() for line in text.splitlines()]
    for check in frame["check"].unique():
        cells = frame[frame["check"] == check].groupby(["method", "ratio"]).ngroups
        papers = frame[(frame["check"] == check) & frame["paper_mean"].notna()].groupby(["method", "ratio"]).ngroups
        assert sum(bool(words) and words[0] == check for words in lines) == cells + papers
    assert "SNIP [score_init=glorot] 98 %" in text  # brackets are no markup
    assert "missing!" in text
    assert "! GraSP at 95 %, reinit: 1 of 5 runs diverged (seed 2)" in text
    assert "2 of 5 tickets with an empty layer: conv1" in text


def test_a_grid_without_checks_or_paper_still_prints(frame: pd.DataFrame) -> None:
    bare = frame[frame["check"] == "none"].drop(columns=frame.filter(like="paper").columns)
    text = printed(bare)
    assert "No check is part of these results" in text
    assert "against the paper" not in text


@pytest.mark.parametrize("method", ["grasp", "snip[score_init=glorot]", "a_rather_long_name[with=options,and=more]"])
def test_no_digit_is_dropped_where_rows_are_wide(make_record: Callable[..., dict], method: str) -> None:
    checks = {"none": 1.0, "random_labels+random_pixels[channels=together]": -30.0}
    rows = [
        make_record(method, check, 0.98, seed, 60 + moved * (seed % 3), mask_overlap=1.0, expected_overlap=0.214)
        for check, moved in checks.items()
        for seed in range(20)
    ]
    text = printed(
        pd.DataFrame(rows).assign(last_test_accuracy=lambda frame: frame["last_test_accuracy"].clip(lower=0))
    )
    assert max(map(len, text.splitlines())) <= 100
    (line,) = (line for line in text.splitlines() if line.rstrip().endswith("21.4"))
    assert "100.0" in line
    assert "(20)" in line


def test_what_the_ratios_are_shares_of_is_said_and_what_is_never_pruned(make_record: Callable[..., dict]) -> None:
    sizes = [{}, {"lstm.weight_ih_l0": 1024, "lstm.weight_hh_l0": 1024}, {f"table.{k}": 10 for k in range(9)}]
    rows = [{**make_record("snip", "none", 0.9, seed, 60.0), "prunable": 1520} for seed in range(2)]
    texts = [" ".join(printed(pd.DataFrame([{**row, "left_dense": left} for row in rows])).split()) for left in sizes]
    assert "Ratios are shares of 1,520 prunable weights. " in texts[0]
    expected = (
        "of 1,520 prunable weights; 2,048 more (57 % of all) are never pruned: lstm.weight_ih_l0, lstm.weight_hh_l0. "
    )
    assert expected in texts[1]
    assert re.search(r"90 more \(.* % of all\) are never pruned: table\.0, .* and \d others\. ", texts[2])


@pytest.mark.parametrize("width", [80, 90, 100])
def test_a_column_without_room_is_left_out_whole_and_named(make_record: Callable[..., dict], width: int) -> None:
    rows = [
        make_record("snip", check, 0.98, seed, 60 + moved * (seed % 3), mask_overlap=0.765, expected_overlap=0.214)
        for check, moved in {"none": 1.0, "resample": -10.0, "label_noise[p=0.1]": -20.0}.items()
        for seed in range(20)
    ]
    lines = printed(pd.DataFrame(rows), width).splitlines()
    assert max(map(len, lines)) <= width
    columns, numbers = ["overlap", "chance", "resample"], ["76.5", "21.4", "76.5"]
    shown = next(line for line in lines if line.startswith("check")).split()[4:]
    assert shown == columns[: len(shown)]
    values = next(line for line in lines if line.lstrip().startswith("label_nois")).split()
    assert [value for value in values if value in numbers] == numbers[: len(shown)]
    told = f"in the report: {', '.join(columns[len(shown) :])}."
    assert (told in " ".join(lines)) == (len(shown) < 3)
    assert (len(shown) < 3) == (width < 100)


def test_a_note_is_said_once_for_a_method_and_ratio(make_record: Callable[..., dict]) -> None:
    def dead(checks: dict[str, float]) -> list[str]:
        rows = [make_record("snip", check, 0.9, seed, 60.0 + seed, effective_density=density)
                for check, density in checks.items() for seed in range(2)]  # fmt: skip
        return [line[: line.index(":")] for line in printed(pd.DataFrame(rows)).splitlines() if line.startswith("! ")]

    assert dead({"none": 0.05, "reinit": 0.05, "rewire": 0.05}) == ["! SNIP at 90 %"]
    assert dead({"none": 0.05, "reinit": 0.05, "rewire": 0.1}) == ["! SNIP at 90 %, none and reinit"]
    assert dead({"none": 0.05, "reinit": 0.04}) == ["! SNIP at 90 %, none", "! SNIP at 90 %, reinit"]
    assert dead({"none": 0.05}) == ["! SNIP at 90 %, none"]


@pytest.mark.parametrize("check", ["layerwise_rearrange", "mine.py:Halved[by=0.5]+half_dataset", "_x__y_", "ü b"])
@pytest.mark.parametrize("room", [12, 40])
def test_a_name_is_broken_behind_signs_and_nothing_of_it_is_lost(check: str, room: int) -> None:
    lines = terminal._broken(f"  {check}", room).split("\n")
    assert lines[0] + "".join(line.removeprefix("   ") for line in lines[1:]) == f"  {check}"
    assert not any(line[-1].isalnum() for line in lines[:-1])
    assert max(map(len, lines)) <= room
