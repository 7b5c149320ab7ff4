"""A page of help comes at once: no command imports torch or pandas to print it."""

import subprocess
import sys

import pytest

COMMANDS = ["run", "export", "audit", "status", "claims", "bench", "bench.structured", "scoring_cost"]


@pytest.mark.parametrize("command", [*(f"sanity.{name}" for name in COMMANDS), "reports"])
def test_help_imports_neither_torch_nor_pandas(command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", command, "--help"], capture_output=True, text=True, check=True
    )
    assert "python -m" in shown.stdout
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert imported.isdisjoint({"torch", "pandas"})
