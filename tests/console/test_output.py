"""What is printed and logged: in every encoding, with unusual paths, on full disks and into closed pipes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.small_runs import TINY, Start, records

FULL = Path("/dev/full")
MODULE = [sys.executable, "-m", "sanity.run"]
SMALL = {**TINY, "seeds": "0", "checks": "none", "recipe.epochs": "1"}
LATIN = "caf\udce9"  # as the system gives a name whose bytes are Latin-1
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def command(module: str, *words: str, **settings: str) -> list[str]:
    return [sys.executable, "-m", module, *words, *(f"{key}={value}" for key, value in {**SMALL, **settings}.items())]


def said(
    words: list[str], environment: Mapping[str, str] | None = None, stdout: int = subprocess.PIPE
) -> tuple[int, str, str]:
    """The exit code and what was printed; the words may hold bytes that are no text."""
    run = subprocess.run(
        list(map(os.fsencode, words)), stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, **(environment or {})}
    )
    return run.returncode, (run.stdout or b"").decode(errors="replace"), run.stderr.decode(errors="replace")


@needs_full
def test_a_log_on_a_full_disk_is_one_warning_and_the_run_goes_on(
    tmp_path: Path, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    assert start(seeds="0,1", recipe__epochs="1", log=str(FULL)) == 0
    errors = capfd.readouterr().err
    assert errors.count("log=/dev/full: cannot be written (No space left on device); the run goes on") == 1
    assert "Traceback" not in errors
    assert "Logging error" not in errors
    assert len(records(tmp_path)) == 4


@needs_full
@pytest.mark.parametrize(
    ("words", "trains"),
    [
        (["--help"], False),
        (["--help", "snip"], False),
        (["reproductions=list"], False),
        (["dry_run=true"], True),
        ([], True),
    ],
)
def test_a_full_standard_output_is_one_line_and_code_1(tmp_path: Path, words: list[str], trains: bool) -> None:
    words = command("sanity.run", *words, results_dir=str(tmp_path / "results")) if trains else [*MODULE, *words]
    with FULL.open("w") as full:
        code, _, errors = said(words, stdout=full.fileno())
    assert code == 1
    assert errors.splitlines()[-1].startswith("error: standard output: No space left on device")
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert bool(list(tmp_path.glob("results/reports/*/report.md"))) is (
        "-m" in words and "dry_run=true" not in words and trains
    )


@needs_full
def test_a_report_onto_a_full_standard_output_is_one_line(tmp_path: Path, start: Start) -> None:
    assert start(seeds="0", checks="none", recipe__epochs="1") == 0
    with FULL.open("w") as full:
        words = [sys.executable, "-m", "reports", str(tmp_path / "results")]
        code, _, errors = said(words, stdout=full.fileno())
    assert (code, errors) == (1, "error: standard output: No space left on device\n")


def test_a_closed_pipe_is_one_line(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code, _, errors = said([*MODULE, "--help"], stdout=writer)
    os.close(writer)
    assert code == 1
    assert errors.startswith("error: standard output: Broken pipe")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_encoding_can_show_a_table(tmp_path: Path, encoding: str) -> None:
    words = command("sanity.run", checks="layerwise_rearrange", seeds="0,1", results_dir=str(tmp_path / "results"))
    code, output, errors = said(words, {"PYTHONIOENCODING": encoding})
    assert code == 0, errors
    assert "Traceback" not in errors
    assert "+-" in output or encoding == "latin-1"
    code, output, errors = said(
        [sys.executable, "-m", "reports", str(tmp_path / "results")], {"PYTHONIOENCODING": encoding}
    )
    assert code == 0, errors
    assert "\\u" not in output


def test_names_that_are_no_text_work_in_every_path(tmp_path: Path) -> None:
    folder = tmp_path / LATIN
    paths = {"results_dir": folder / "results", "report_dir": folder / "report", "log": folder / "log.txt"}
    code, _, errors = said(command("sanity.run", **{key: str(path) for key, path in paths.items()}))
    assert code == 0, errors
    assert {path.name for path in (folder / "report").iterdir()} >= {"report.md", "report.html"}
    assert "done" in (folder / "log.txt").read_text() or "last" in (folder / "log.txt").read_text()
    words = ["--output", str(folder / "again"), "--format", "md,html,csv,latex", "--title", LATIN]
    code, _, errors = said([sys.executable, "-m", "reports", str(folder / "results"), *words])
    assert code == 0, errors


def test_a_run_needs_no_home_directory(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    code = f"import os; os.environ.clear(); os.environ.update({environment!r}); from pathlib import Path;"
    code += "Path.home = classmethod(lambda _: (_ for _ in ()).throw(RuntimeError('no home')));"
    words = [f"{key}={value}" for key, value in {**SMALL, "results_dir": str(tmp_path / "results")}.items()]
    code += f"from sanity.run import main; raise SystemExit(main({words!r}))"
    result, _, errors = said([sys.executable, "-c", code])
    assert result == 0, errors
