"""Records of others: said to be so, and trained again on request."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.verify import settings
from sanity.errors import CannotWrite
from sanity.run import run
from tests.small_runs import TINY

KEYS = {**TINY, "methods": "random,dense", "checks": "layerwise_rearrange+reinit", "recipe.epochs": "1", "seeds": "0"}

UNVERIFIED = "3 runs were read from records.jsonl, so they were trained elsewhere and not checked here"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the packed records of another."""
    results, folder = tmp_path_factory.mktemp("results"), tmp_path_factory.mktemp("packed")
    run({**KEYS, "results_dir": str(results)})
    assert main([str(results), "--output", str(folder), "--format", "csv", "--pack", "--quiet"]) == 0
    return folder


def test_runs_of_others_are_said_to_be_so_until_they_are_trained_again(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(packed), "--output", str(tmp_path), "--format", "md"]
    assert main([*words, "--quiet"]) == 0
    assert UNVERIFIED in (tmp_path / "report.md").read_text(encoding="utf-8")
    capsys.readouterr()

    assert main([*words, "--verify", "2"]) == 0
    shown = capsys.readouterr().out
    assert "! 3 runs were read from records.jsonl, so they were trained elsewhere; 2 of 3 were trained again (" in (
        " ".join(shown.split())
    )
    verified = [line for line in shown.splitlines() if line.startswith("verified: ")]
    assert len(verified) == 2
    assert all("% again, as recorded" in line for line in verified)
    assert main([*words, "--verify", "1", "--pack"]) == 0
    assert len(repeats_of(packed)) == 3, "the third is one that was not trained again before"
    assert repeats_of(tmp_path) == repeats_of(packed), "they go where the records go"
    assert main([*words, "--quiet"]) == 0
    assert "3 of 3 were trained again" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "3 with the recorded test accuracy (" in (tmp_path / "report.md").read_text(encoding="utf-8")


def repeats_of(folder: Path) -> list[str]:
    return (folder / "repeats.jsonl").read_text(encoding="utf-8").splitlines()


def test_a_repeat_of_another_record_of_the_same_cell_does_not_count(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "records.jsonl").write_bytes((packed / "records.jsonl").read_bytes())
    assert main([str(tmp_path), "--format", "md", "--quiet", "--verify", "3"]) == 0
    other = (tmp_path / "records.jsonl").read_text(encoding="utf-8").replace('"digest": "', '"digest": "0')
    (tmp_path / "records.jsonl").write_text(other, encoding="utf-8")
    assert main([str(tmp_path), "--format", "md", "--quiet"]) == 0
    assert UNVERIFIED in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_records_beside_which_nothing_can_be_written_are_verified_all_the_same(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, line: str) -> None:
        raise CannotWrite(f"{path}: No space left on device")

    monkeypatch.setattr("sanity.store.repeats.append_line", full)
    assert main([str(packed), "--output", str(tmp_path), "--format", "md", "--quiet", "--verify", "1"]) == 0
    assert "note: not kept with the records: " in capsys.readouterr().err


def test_an_accuracy_that_does_not_come_again_is_told(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.loads(line) for line in (packed / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    forged = next(line for line in lines if line["check"] == "layerwise_rearrange+reinit")
    forged |= {"last_test_accuracy": 99.0, "best_test_accuracy": 99.0, "curve": [99.0]}
    (tmp_path / "records.jsonl").write_text(json.dumps(forged) + "\n", encoding="utf-8")
    assert main([str(tmp_path), "--format", "csv", "--quiet", "--verify", "1"]) == 1
    assert "NOT verified: Random at" in capsys.readouterr().out


def test_cells_that_cannot_be_read_are_told(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "records.jsonl").write_bytes((packed / "records.jsonl").read_bytes())
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / f"{'0' * 20}.json").write_text("{")
    assert main([str(tmp_path), "--format", "md"]) == 0
    told = "1 cell of the results folder cannot be read and is not in these tables:"
    assert told in " ".join(capsys.readouterr().out.split())
    assert told in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_folder_of_which_nothing_can_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / f"{'0' * 20}.json").write_text("{")
    assert main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: records: none can be read: ")
    assert error.count("\n") == 1


def test_the_settings_of_a_record_are_those_of_its_run() -> None:
    record = {
        "dataset": "digits", "model": "lenet_300_100", "recipe": "quick", "method": "snip@lee2019[biases=never]",
        "check": "half_dataset[which=first]+reinit", "ratio": 0.9, "seed": 3, "precision": "fp32",
        "overrides": "init=lee2019 recipe.epochs=1",
    }  # fmt: skip
    assert settings(record) == {
        "dataset": "digits", "model": "lenet_300_100", "recipe": "quick", "methods": "snip@lee2019", "seeds": 3,
        "checks": "half_dataset+reinit", "ratio": 0.9, "precision": "fp32", "init": "lee2019", "recipe.epochs": "1",
        "snip.biases": "never", "half_dataset.which": "first",
    }  # fmt: skip


def test_a_report_needs_torch_only_to_verify(packed: Path, tmp_path: Path) -> None:
    words = [str(packed), "--output", str(tmp_path), "--format", "csv", "--quiet"]
    script = f"import sys; from reports.__main__ import main; main({words!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
