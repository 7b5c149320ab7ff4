"""What was measured and is kept in the repository: whole, with its circumstances, and the same in every file."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main
from sanity.cli.request import requested
from sanity.config import pairs
from sanity.grid.cells import cells
from sanity.store.records import rows

MEASURED = Path(__file__).parents[2] / "reproductions" / "measured"
LARGEST = "frankle2021_lenet"  # 1,299 runs
FOLDERS = sorted(path.parent for path in MEASURED.glob("*/records.jsonl"))
TEXT = (MEASURED / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")


def commands(module: str, folder: Path) -> list[list[str]]:
    """The words after `python -m MODULE` in the commands about `folder` that the README gives."""
    lines = re.findall(rf"^ +python -m {re.escape(module)} (.*)$", TEXT, re.MULTILINE)
    return [words for words in map(shlex.split, lines) if any(word.endswith(f"/{folder.name}") for word in words)]


def test_every_folder_is_named_and_every_named_folder_is_there() -> None:
    named = re.findall(r"^## `(\S+)`", TEXT, re.MULTILINE)
    assert sorted(named) == [folder.name for folder in FOLDERS]


def test_the_readme_says_how_far_a_hundred_epochs_are_from_250() -> None:
    cells: dict[tuple[str, float], list[float]] = {}
    for row in rows(MEASURED / "lee2019_table1"):
        assert len(row["curve"]) == 250
        cells.setdefault((row["method"], row["ratio"]), []).append(row["curve"][99] - row["curve"][-1])
    mean = max(abs(sum(gaps)) / len(gaps) for gaps in cells.values())
    single = max(abs(gap) for gaps in cells.values() for gap in gaps)
    assert f"to {mean:.3f} points (a single run: to {single:.2f})" in " ".join(TEXT.split())


def test_the_readme_says_when_the_validation_loss_is_smallest_and_how_a_ticket_of_one_round_ends() -> None:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows(MEASURED / "frankle_carbin2019_lenet"):
        groups.setdefault((f"{row['method']} {row['ratio']}", row["check"]), []).append(row)
    iterative = "partially_trained@frankle_carbin2019[removed_per_round=0.2] 0.789276"
    dense, ticket, redrawn = (
        groups[key] for key in (("dense 0.0", "none"), (iterative, "none"), (iterative, "reinit"))
    )
    one_round = groups["partially_trained@frankle_carbin2019 0.948216", "none"]

    def mean(name: str, runs: list[dict[str, Any]], digits: int) -> str:
        return f"{sum(row[name] for row in runs) / len(runs):.{digits}f}"

    text = " ".join(TEXT.split())
    epochs = [mean("early_stop_epoch", runs, 1) for runs in (dense, ticket, redrawn)]
    assert f"after {epochs[0]} epochs in the dense network, after {epochs[1]} with the iterative ticket, " in text
    assert f"and after {epochs[2]} with its mask under fresh weights" in text
    assert f"means of {len(dense)}, {len(ticket)} and {len(redrawn)} runs" in text
    both = [
        f"{mean(name, one_round, 2)} against {mean(name, dense, 2)} %"
        for name in ("last_test_accuracy", "early_stop_test_accuracy")
    ]
    assert f"({', '.join(both)}, n = {len(one_round)})" in text


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_run_says_how_it_was_made(folder: Path) -> None:
    for row in rows(folder):
        assert row["status"] in ("done", "diverged")
        assert all(
            row[key] for key in ("device", "versions", "commit", "wall_s", "started", "precision", "data_digest")
        )
        if row["status"] == "done":
            assert row["last_test_accuracy"] == pytest.approx(row["curve"][-1], abs=1e-6)
            assert row["best_test_accuracy"] == pytest.approx(max(row["curve"]), abs=1e-6)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_command_beside_it_asks_for_what_was_run(folder: Path) -> None:
    asked = {
        (config.model, cell.method.label, cell.check.label, round(cell.ratio, 9), cell.seed)
        for words in commands("sanity.run", folder)
        for config in requested(pairs(words)).configs
        for cell in cells(config)
    }
    run = {(row["model"], row["method"], row["check"], round(row["ratio"], 9), row["seed"]) for row in rows(folder)}
    assert run <= asked


def numbers_in_tables(text: str) -> list[list[str]]:
    """The numbers of each row of a report's tables as they are written; the words around them may be edited."""
    return [re.findall(r"[+\N{MINUS SIGN}]?\d[\d,.]*", line) for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_report_is_made_from_the_records(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(MEASURED.parents[1])
    (words,) = commands("reports", folder)
    formats = "md,csv,html" if folder.name == LARGEST else "md,csv"
    words = [word.replace("md,csv", formats) for word in words if word != "--pack"]
    assert main([*words, "--output", str(tmp_path), "--quiet"]) == 0
    if folder.name == LARGEST:
        assert (tmp_path / "report.html").stat().st_size < 1_500_000
    assert (tmp_path / "report.csv").read_text() == (folder / "report.csv").read_text()
    made, kept = (numbers_in_tables((where / "report.md").read_text()) for where in (tmp_path, folder))
    assert made == kept
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {path.name for path in (folder / "figures").iterdir()}
