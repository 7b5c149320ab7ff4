"""The adapters of the documentation run on small pruners of our own in the published shapes, and are short."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

import methods
from sanity.invariants import nets
from sanity.masks import kept, size
from tests.methods.foreign import published

PAGE = Path(__file__).parents[3] / "docs" / "somebodys-pruner.md"
THEIRS: dict[str, dict[str, object]] = {
    "snip": {"SNIP": published.snip},
    "pruner.GraSP": {"GraSP": published.grasp},
    "Pruners.pruners": {"SynFlow": published.SynFlow},
    "pruning.pruning_algos": {"iterative_pruning": published.iterative_pruning},
}
ADAPTERS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the published modules stand for ours."""
    for name, parts in THEIRS.items():
        for module in (name.partition(".")[0], name):
            monkeypatch.setitem(sys.modules, module, ModuleType(module))
        vars(sys.modules[name]).update(parts)


@pytest.mark.parametrize("number", range(len(ADAPTERS)))
@pytest.mark.usefixtures("_published")
def test_an_adapter_gives_a_mask_of_the_ratio(number: int, tmp_path: Path) -> None:
    code = ADAPTERS[number]
    assert len(code.strip().splitlines()) <= 15
    path = tmp_path / "adapter.py"
    path.write_text(code)
    model = nets.net("convolutional")
    method = methods.get(f"{path}:find", batch_size=8)
    mask = method.mask(model, nets.batches(), 0.8)
    assert list(mask) == list(method.targets(model))
    assert abs(kept(mask) - 0.2 * size(mask)) <= 2
    assert not nets.changed(mask, method.mask(model, nets.batches(), 0.8))


@pytest.mark.usefixtures("_published")
def test_a_pruner_without_data_is_that_of_the_suite(tmp_path: Path) -> None:
    """Magnitude by torch.nn.utils.prune, and SynFlow by an object with masked_parameters."""
    model = nets.net("free_convolutional")
    for number, ours in ((2, methods.get("synflow", rounds=100)), (4, methods.get("magnitude"))):
        path = tmp_path / f"adapter{number}.py"
        path.write_text(ADAPTERS[number])
        mask = methods.get(f"{path}:find").mask(model, nets.batches(), 0.5)
        expected = ours.mask(model, nets.batches(), 0.5)
        differing = sum(int((mask[name] != expected[name]).sum()) for name in mask)
        assert differing <= 2 * torch.finfo(torch.float32).eps * size(mask) + 2
