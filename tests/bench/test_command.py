"""Every benchmark ends its command line alike: help, mistakes, places that cannot be written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sanity.bench import __main__ as bench
from sanity.bench import gpu_check, scoring, structured

Main = Callable[[Sequence[str]], int]
MAINS = [bench.main, scoring.main, structured.main, gpu_check.main]


@pytest.mark.parametrize("main", MAINS)
def test_help_names_the_command_and_its_options(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("python -m sanity.")
    assert "\n  json " in shown


@pytest.mark.parametrize("main", MAINS)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["json=nowhere/figures.json"], "error: json=nowhere/figures.json: there is no folder "),
        (["json=."], "error: json=.: is a folder; name a file in it"),
        (["json"], "error: 'json' is not key=value"),
        (["seconds=1", "seconds=2"], "error: seconds is given twice"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_measured(
    main: Main, words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["device=cpu", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(says)
    assert error.count("\n") == 1


@pytest.mark.parametrize("main", MAINS)
def test_a_full_standard_output_is_one_line(
    main: Main, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["--help"]) == 1
    assert capsys.readouterr().err == "error: standard output: No space left on device\n"
