"""Every example runs: the commands that it names, on little data, and the notebook's cells."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from sanity.run import main
from sanity.store import load_records

FOLDER = Path(__file__).parents[2] / "examples"
SMALL = {"recipe.epochs": "1", "dataset.limit": "200", "dataset.test_limit": "100", "seeds": "0", "precision": "fp32"}
OWN = {
    "own_method.py": ("method", {"own_method:Scaled", "magnitude"}),
    "own_check.py": ("check", {"none", "own_check:RandomSigns"}),
    "own_network.py": ("model", {"own_network:Separable"}),
    "plain_network.py": ("model", {"plain_network.py:Rows"}),
    "own_dataset.py": ("dataset", {"own_dataset:Arrays"}),
    "plain_dataset.py": ("dataset", {"plain_dataset.py:squares"}),
}


def command_of(name: str) -> list[str]:
    """The words of the run that the example `name` shows, as a reader types them."""
    shown = re.search(r"^python -m sanity\.run (.*)$", (FOLDER / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert shown, f"{name} shows no command"
    return shlex.split(shown.group(1))


def code_cells() -> list[str]:
    notebook = json.loads((FOLDER / "read_records.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.chdir(tmp_path)
    for path in FOLDER.glob("plain_*.py"):  # which commands name by path
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", OWN)
def test_the_command_of_an_example_runs(in_an_empty_folder: Path, name: str) -> None:
    if name == "own_dataset.py":
        from own_dataset import write_stripes

        write_stripes(Path("data/arrays.npz"))
    assert main([*command_of(name), *(f"{key}={value}" for key, value in SMALL.items())]) == 0
    column, values = OWN[name]
    records = load_records("results")
    assert values <= set(records[column])
    assert set(records["status"]) == {"done"}


def test_own_check_changes_signs_and_nothing_else(in_an_empty_folder: Path) -> None:
    import torch
    from own_check import RandomSigns

    from sanity.masks.ticket import Ticket

    weight, bias = torch.arange(1.0, 13.0).reshape(3, 4), torch.tensor([1.0, 2.0, 3.0])
    mask = {"weight": weight > 4}
    ticket = RandomSigns().perturb(
        Ticket(weights={"weight": weight, "bias": bias}, mask=mask), torch.Generator().manual_seed(0)
    )
    assert ticket.mask == mask
    assert torch.equal(ticket.weights["bias"], bias)
    assert torch.equal(ticket.weights["weight"].abs(), weight)
    assert 0 < int((ticket.weights["weight"] < 0).sum()) < 12


def test_own_data_set_can_be_learned(in_an_empty_folder: Path) -> None:
    """Stripes across and down have the same mean, so their arrangement is all that tells them apart."""
    import own_dataset

    own_dataset.write_stripes(Path("data/arrays.npz"))
    train, test, classes = own_dataset.Arrays().read(Path("data"))
    assert classes == 2
    assert train.examples.shape == (400, 1, 12, 12)
    rows = torch.as_tensor(test.examples).float().mean(dim=3).var(dim=2).flatten()
    columns = torch.as_tensor(test.examples).float().mean(dim=2).var(dim=2).flatten()
    assert ((columns > rows).long() == test.targets).float().mean() > 0.99


def test_own_data_set_that_is_missing_is_one_line(in_an_empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command_of("own_dataset.py")) == 2
    assert "arrays.npz is missing" in capsys.readouterr().err


def test_the_notebook_runs_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, Any] = {}
    for source in code_cells():
        exec(compile(source, "read_records.ipynb", "exec"), names)
    assert set(names["records"]["check"]) == set(names["by_check"].index)
    assert names["verdicts"]["layerwise_rearrange", 0.95] == ("equivalent", -0.09)
    assert list(names["layers"].index)[:2] == ["1.weight", "1.bias"]


def test_the_notebook_is_in_the_notebook_format() -> None:
    notebook = json.loads((FOLDER / "read_records.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        assert {"cell_type", "id", "metadata", "source"} <= set(cell)
        assert cell["cell_type"] != "code" or (cell["outputs"] == [] and cell["execution_count"] is None)
