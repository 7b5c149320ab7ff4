"""Progress: bar and time left first, at any width; what was found, what failed, what earlier runs had done."""

import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from sanity.grid import progress
from sanity.grid.progress import Reporter, reporter
from sanity.run import run
from tests.small_runs import TINY

TITLE = "layerwise_rearrange+random_labels of partially_trained@frankle2021 at 98.2 %, seed 17"


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> Iterator[tuple[Reporter, io.StringIO]]:
    shown = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda file: Console(file=shown, force_terminal=True, width=width))
    with reporter(480, "") as reports_to:
        yield reports_to, shown


def lines(shown: io.StringIO) -> list[str]:
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue()))


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_long_title_is_cut_and_hides_neither_count_nor_time(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    with terminal(monkeypatch, width) as (reports_to, shown):
        reports_to._began -= 20
        reports_to.epoch(TITLE, {"epoch": 1, "test_accuracy": 50.0}, 3)
        reports_to.failed("snip failed: no licence; traceback in results/cells/KEY.log")
    bar = next(line for line in lines(shown) if "1/480 epochs" in line and "1 failed" in line)
    assert re.search(r"━+ +1/480 epochs 2 h \d+ min left 1 failed lay", bar)
    assert len(bar) <= width
    assert "snip failed: no licence; traceback in results/cells/KEY.log" in " ".join(lines(shown))


def test_what_an_earlier_run_did_counts_but_not_for_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    reports_to = Reporter(20, None, None)
    reports_to._began -= 10
    for epoch in (9, 10):
        reports_to.epoch(TITLE, {"epoch": epoch, "test_accuracy": 50.0}, 10)
    reports_to.resumed(8)
    assert (reports_to.done, reports_to.total) == (10, 20)
    assert reports_to.left() == "50 s left"


def test_a_run_that_goes_on_says_what_it_found_and_dates_its_log(tmp_path: Path) -> None:
    paths = {"results_dir": str(tmp_path / "results"), "log": str(tmp_path / "log")}
    keys = {**TINY, **paths, "methods": "random", "checks": "none", "recipe.epochs": "1"}
    run({**keys, "seeds": "0"})
    assert "found" not in (tmp_path / "log").read_text()
    run({**keys, "seeds": "0-2"})
    log = (tmp_path / "log").read_text().splitlines()
    assert any(line.endswith("1 of 3 cells found") for line in log)
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d ", line) for line in log)


def test_a_long_search_says_that_it_still_searches(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.01)
    caplog.set_level("INFO", logger="sanity")
    with Reporter(20, None, None).searching(TITLE):
        until = time.monotonic() + 10
        while len(caplog.records) < 2 and time.monotonic() < until:
            time.sleep(0.01)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) >= 2
    assert told[0].startswith(f"{TITLE}: searching for ")
    time.sleep(0.05)
    assert len(caplog.records) == len(told), "it ends with the search"
