"""What the README tells a newcomer to type is what the suite understands."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from sanity.cli.request import requested
from sanity.config import pairs
from sanity.grid.cells import cells
from sanity.masks import kept, size

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8").replace("\\\n", " ")


def commands() -> list[str]:
    found = re.findall(r"python -m sanity\.run ([^`\n]*)", TEXT)
    return [command.split("#")[0].strip() for command in found if "--help" not in command and "mine:" not in command]


@pytest.mark.parametrize("command", commands())
def test_every_command_asks_for_a_grid(command: str) -> None:
    for config in requested(pairs(shlex.split(command))).configs:
        assert cells(config)


def test_the_example_of_a_method_is_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import methods

    code = next(block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "mine.py" in block)
    (tmp_path / "mine.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    net = torch.nn.Sequential(torch.nn.Linear(64, 30), torch.nn.ReLU(), torch.nn.Linear(30, 10))
    mask = methods.get("mine:Scaled", power=1).mask(net, [(torch.rand(2, 64), torch.tensor([0, 1]))], 0.9)
    assert kept(mask) == round(0.1 * size(mask))


def test_every_measured_number_is_in_a_report() -> None:
    reports = [path.read_text() for path in README.parent.glob("reproductions/measured/*/report.md")]
    lines = [line for report in reports for line in report.splitlines()]
    table = re.findall(r"^\| (?:Table|Figure) \d.*\|$", TEXT, re.MULTILINE)
    assert len(table) == 8
    for row in table:
        numbers = [cell.strip() for cell in row.strip("|").split("|")][1:]
        assert any(all(f"| {number} |" in line for number in numbers) for line in lines), row
    section = TEXT[TEXT.index("## What was measured") : TEXT.index("## Adding a method")]
    signed = r"(?:\N{MINUS SIGN}|\+)\d+\.\d\d"
    for number in re.findall(rf"(?:{signed}|\d+\.\d\d) ± \d\.\d\d|{signed} to {signed}", section):
        assert any(number in line for line in lines), number


def test_every_file_that_it_names_is_there() -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", TEXT) + re.findall(r"`((?:methods|checks)/\w+\.py)`", TEXT):
        assert (README.parent / name).exists(), name
