"""What is printed and logged: in every encoding, with unusual paths, on full disks and into closed pipes."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from rich.console import Console

import reports.__main__
import sanity.run
from sanity.console.output import CannotPrint, printing
from tests.small_runs import TINY, Start, records

FULL = Path("/dev/full")
MODULE = [sys.executable, "-m", "sanity.run"]
SMALL = {**TINY, "seeds": "0", "checks": "none", "recipe.epochs": "1"}
LATIN = "caf\udce9"  # as the system gives a name whose bytes are Latin-1
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def keys(**settings: str) -> list[str]:
    """The words of a small run."""
    return [f"{key}={value}" for key, value in {**SMALL, **settings}.items()]


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
@pytest.mark.parametrize("words", [["--help"], ["reproductions=list"]])
def test_a_full_standard_output_is_one_line_and_code_1(words: list[str]) -> None:
    with FULL.open("w") as full:
        code, _, errors = said([*MODULE, *words], stdout=full.fileno())
    assert code == 1
    assert errors.splitlines()[-1].startswith("error: standard output: No space left on device")
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


@needs_full
def test_a_methods_page_onto_a_full_standard_output_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with FULL.open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        code = sanity.run.main(["--help", "snip"])
    (line,) = capfd.readouterr().err.splitlines()
    assert code == 1
    assert line.startswith("error: standard output: No space left on device")


@needs_full
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_onto_a_full_standard_output_is_one_line_and_keeps_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], dry_run: bool
) -> None:
    with FULL.open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        code = sanity.run.main(keys(dry_run=str(dry_run), results_dir=str(tmp_path / "results")))
    errors = capfd.readouterr().err
    assert code == 1
    assert errors.splitlines()[-1].startswith("error: standard output: No space left on device")
    assert "Traceback" not in errors
    assert bool(list(tmp_path.glob("results/reports/*/report.md"))) is not dry_run


@needs_full
def test_a_report_onto_a_full_standard_output_is_one_line(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert start(seeds="0", checks="none", recipe__epochs="1") == 0
    capfd.readouterr()
    with FULL.open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        code = reports.__main__.main([str(tmp_path / "results")])
    assert (code, capfd.readouterr().err) == (1, "error: standard output: No space left on device\n")


def test_a_closed_pipe_is_one_line(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code, _, errors = said([*MODULE, "--help"], stdout=writer)
    os.close(writer)
    assert code == 1
    assert errors.startswith("error: standard output: Broken pipe")


class Terminal(io.TextIOWrapper):
    """Standard output and error of a terminal whose encoding lacks characters; raises where one is left to it."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def text(self) -> str:
        self.flush()
        self.seek(0)
        return self.read()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_encoding_can_show_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    def shown(main: Callable[[Sequence[str]], int], words: list[str]) -> str:
        output, errors = Terminal(encoding), Terminal(encoding)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", output)
            patch.setattr(sys, "stderr", errors)
            code = main(words)
        assert code == 0, errors.text()
        assert "Traceback" not in errors.text()
        return output.text()

    results = str(tmp_path / "results")
    output = shown(sanity.run.main, keys(checks="layerwise_rearrange", seeds="0,1", results_dir=results))
    assert "+-" in output or encoding == "latin-1"
    assert "\\u" not in shown(reports.__main__.main, [results])


def test_names_that_are_no_text_work_in_every_path(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / LATIN
    paths = {"results_dir": folder / "results", "report_dir": folder / "report", "log": folder / "log.txt"}
    assert sanity.run.main(keys(**{key: str(path) for key, path in paths.items()})) == 0, capfd.readouterr().err
    assert {path.name for path in (folder / "report").iterdir()} >= {"report.md", "report.html"}
    assert "done" in (folder / "log.txt").read_text() or "last" in (folder / "log.txt").read_text()
    words = ["--output", str(folder / "again"), "--format", "md,html,csv,latex", "--title", LATIN]
    assert reports.__main__.main([str(folder / "results"), *words]) == 0, capfd.readouterr().err


def test_a_run_needs_no_home_directory(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    code = f"import os; os.environ.clear(); os.environ.update({environment!r}); from pathlib import Path;"
    code += "Path.home = classmethod(lambda _: (_ for _ in ()).throw(RuntimeError('no home')));"
    words = keys(results_dir=str(tmp_path / "results"))
    code += f"from sanity.run import main; raise SystemExit(main({words!r}))"
    result, _, errors = said([sys.executable, "-c", code])
    assert result == 0, errors


@needs_full
def test_the_help_of_reports_on_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert reports.__main__.main(["--help"]) == 1
    assert capsys.readouterr().err == "error: standard output: No space left on device\n"


def test_a_table_into_a_closed_pipe_is_an_error_and_no_silent_end(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO())
    monkeypatch.setattr(console, "_check_buffer", console.on_broken_pipe)
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # rich silences the process's own output
    with pytest.raises(CannotPrint, match="Broken pipe"), printing():
        console.print("a table")
