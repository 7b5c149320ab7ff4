"""Files of the user's that bear the names of the suite's packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]


def start(folder: Path, *words: str, module: str = "sanity.run") -> "subprocess.CompletedProcess[str]":
    settings = ["methods=random", "checks=none", "ratio=0.5", "seeds=0", "recipe.epochs=1", "model=lenet_300_100"]
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    return subprocess.run(
        [sys.executable, "-m", module, *(words or settings)], cwd=folder, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["methods.py", "checks/__init__.py", "reports.py", "reproductions/__init__.py"])
def test_what_hides_a_package_is_named_before_anything_is_trained(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("raise RuntimeError('mine')\n")
    done = start(tmp_path)
    assert done.returncode == 2
    hiding = file.parent if name.endswith("__init__.py") else file
    assert done.stderr.startswith(f"error: {hiding} hides the suite's own package '{hiding.stem}': rename it")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_a_report_is_refused_where_methods_are_hidden(tmp_path: Path) -> None:
    (tmp_path / "methods.py").write_text("")
    done = start(tmp_path, "results", module="reports")
    assert (done.returncode, done.stdout) == (2, "")
    assert "hides the suite's own package 'methods'" in done.stderr


def test_a_folder_without_code_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "mine.py").write_text("")
    assert start(tmp_path, "reproductions=list").returncode == 0
