"""A plain function is a method: what it gets, what it may do to the process, and what names its results."""

import importlib
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as torch_hooks

import methods
from methods.foreign.method import as_method
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid import keys
from sanity.grid.preparation import prepare
from sanity.grid.scoring_batches import scoring_batches
from sanity.invariants import nets
from sanity.masks import Mask
from sanity.recipes import Recipe
from sanity.run import run
from sanity.seeds import generator
from sanity.training.batches import normalisation
from tests.methods.foreign import published
from tests.methods.foreign.published import layers
from tests.small_runs import Start

SMALL: dict[str, Any] = {
    "model": "lenet_300_100",
    "recipe.epochs": 1,
    "dataset.limit": 200,
    "dataset.test_limit": 100,
    "precision": "fp32",
    "device": "cpu",
    "ratio": 0.9,
    "seeds": 0,
    "checks": "none",
}
HERE = __name__


def by_labels(model: nn.Module, loader: Any, ratio: float, *, device: torch.device) -> list[Tensor]:
    """Needs the labels."""
    return published.snip(nn.Sequential(model, nn.LogSoftmax(1)), 1 - ratio, loader, device)


def by_images(model: nn.Module, loader: Any, ratio: float) -> list[Tensor]:
    """Needs the images alone, and spoils what it is given."""
    images, targets = next(iter(loader))
    loss = F.cross_entropy(model(images), torch.zeros_like(targets))
    scores = [grad.abs() for grad in torch.autograd.grad(loss, [layer.weight for layer in layers(model)])]
    for tensor in (images, targets, *loader.dataset[0], loader.dataset.targets):
        tensor.zero_()
    return published.highest(scores, round((1 - ratio) * sum(score.numel() for score in scores)))


def at_random(model: nn.Module, loader: Any, ratio: float) -> dict[str, Any]:
    """Draws from all three global generators."""
    shapes = {name: layer.weight.shape for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    drawn = {
        name: random.random() + np.random.rand(*shape) + torch.rand(shape).numpy() for name, shape in shapes.items()
    }
    threshold = np.quantile(np.concatenate([values.ravel() for values in drawn.values()]), ratio)
    return {name: values > threshold for name, values in drawn.items()}


def with_options(
    model: nn.Module, loader: Any, ratio: float, keep: int = 7, loss: Any = F.nll_loss, generator: Any = None
) -> Mask:
    masks = {name: torch.zeros_like(weight) for name, weight in model.named_parameters() if weight.dim() > 1}
    masks["1.weight"].view(-1)[torch.randperm(64, generator=generator)[: int(keep)]] = 1
    return masks


@pytest.fixture
def ran(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    return lambda **keys: run({**SMALL, "results_dir": str(tmp_path / "results"), **keys})


@pytest.fixture(autouse=True)
def _first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is as the first of a process, in which a mask is made twice."""
    monkeypatch.setattr("methods.foreign.method._repeated", set())


def test_what_a_check_does_to_the_data_reaches_the_function(ran: Callable[..., pd.DataFrame]) -> None:
    names = f"{HERE}:by_labels,{HERE}:by_images"
    records = ran(methods=names, checks="random_labels,half_dataset")
    assert set(records["status"]) == {"done"}
    tickets = records.set_index(["method", "check"])["ticket"].unstack()
    labels, images = tickets.loc[f"{HERE}:by_labels"], tickets.loc[f"{HERE}:by_images"]
    assert labels.nunique() == 3
    assert images["random_labels"] == images["none"]
    assert images.nunique() == 2
    assert set(records["repeat_differs"].dropna()) == {0}


def test_a_count_off_the_budget_is_said_and_recorded(
    ran: Callable[..., pd.DataFrame], capfd: pytest.CaptureFixture[str]
) -> None:
    part = f"{HERE}:with_options"
    record = ran(methods=part, **{"with_options.keep": 5}).iloc[0]
    assert (record["kept"], record["off_budget"]) == (5, 5 - 5020)
    assert "keeps 5015 of 50200 weights fewer than ratio=0.9 asks for" in capfd.readouterr().err
    assert (ran(methods=part, **{f"{part}.keep": 5}).iloc[0]["cell"]) == record["cell"]
    assert ran(methods="magnitude").iloc[0]["off_budget"] is None


def outside() -> tuple[Any, ...]:
    return random.getstate(), str(np.random.get_state()), torch.get_rng_state().numpy().tobytes()


def test_global_generators_are_seeded_and_restored() -> None:
    method = as_method(at_random, "theirs:at_random")()
    masks = []
    for seed in (1, 2):
        random.seed(seed)
        before = outside()
        masks.append(method.mask(nets.net("perceptron"), nets.batches(), 0.5, generator(0)))
        assert outside() == before
    assert not nets.changed(*masks)
    assert nets.changed(masks[0], method.mask(nets.net("perceptron"), nets.batches(), 0.5, generator(1)))


def test_what_is_left_behind_is_said_and_undone(caplog: pytest.LogCaptureFixture) -> None:
    forward = nn.Linear.forward

    def littering(model: nn.Module, loader: Any, ratio: float) -> list[Tensor]:
        model[1].register_forward_hook(lambda *_: None)  # type: ignore[index]
        nn.modules.module.register_module_forward_hook(lambda *_: None)
        setattr(nn.Linear, "forward", lambda self, x: F.linear(x, self.weight))  # noqa: B010
        next(model.parameters()).requires_grad_(False)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return published.highest([layer.weight.abs() for layer in layers(model)], 492)

    model = nets.net("perceptron")
    before = nets.snapshot(model)
    as_method(littering, "theirs:littering")().mask(model, nets.batches(), 0.5)
    assert nn.Linear.forward is forward
    assert not torch_hooks._global_forward_hooks
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert not nets.changed(before, nets.snapshot(model))
    for trace in (
        "hooks on 1",
        "1 hooks on all",
        "Linear.forward",
        "no gradients for 1.weight",
        "float64",
        "gradients",
    ):
        assert trace in caplog.text


def test_a_function_that_does_not_repeat_is_said_to(
    ran: Callable[..., pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "moody.py").write_text(
        "import torch\ncalls = []\n\n\ndef find(model, loader, ratio):\n    calls.append(0)\n"
        "    source = torch.Generator().manual_seed(len(calls))\n"
        "    return [torch.rand(p.shape, generator=source) > ratio for p in model.parameters() if p.dim() > 1]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    record = ran(methods="moody:find").iloc[0]
    assert 8000 < record["repeat_differs"] < 10000  # 2 * 0.9 * 0.1 of 50200
    assert "moody:find: is not deterministic" in capfd.readouterr().err


def loader_of(recipe: Recipe, **options: Any) -> Any:
    data = nets.dataset(examples=50)
    method = as_method(by_labels, "theirs:by_labels")(**options)
    return data, scoring_batches(method, data, recipe, generator(0))


def test_the_loader_has_all_examples_in_the_recipes_batches() -> None:
    data, whole = loader_of(Recipe(batch_size=16, crop_padding=0, flip=False))
    loader = whole.loader()
    passes = [list(loader), list(loader)]
    assert len(loader) == len(whole) == 4
    assert [len(targets) for _, targets in passes[0]] == [16, 16, 16, 2]
    assert len(loader.dataset) == 50
    assert torch.equal(loader.dataset.targets, data.targets)
    mean, std = normalisation(data, "dataset")
    expected = (
        data.pixels.double().div(255).sub(torch.tensor(mean).view(-1, 1, 1)).div(torch.tensor(std).view(-1, 1, 1))
    )
    for batches in passes:
        images, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert torch.equal(targets.bincount(), data.targets.bincount())
        torch.testing.assert_close(images.double().sum(0), expected.sum(0), atol=1e-3, rtol=1e-3)
    assert not torch.equal(passes[0][0][1], passes[1][0][1]), "both passes have one order"
    assert torch.equal(passes[0][0][0], next(iter(whole.loader()))[0]), "two loaders of one seed differ"


def test_the_loader_augments_as_the_recipe_says_and_has_the_size_that_is_asked_for() -> None:
    recipe = Recipe(batch_size=16, crop_padding=2, flip=True)
    _, whole = loader_of(recipe, batch_size=5)
    examples = whole.loader().dataset
    assert len(whole.loader()) == 10
    assert not torch.equal(examples[3][0], examples[3][0]), "the second access has the crop of the first"
    _, still = loader_of(recipe, augment=False)
    assert torch.equal(still.loader().dataset[3][0], still.loader().dataset[3][0])


def _key(tmp_path: Path, **given: Any) -> tuple[str, str]:
    settings = {**SMALL, "results_dir": str(tmp_path / "results"), **given}
    experiment, cells = prepare(from_mapping(settings))
    return keys.cell(cells[0], experiment), keys.mask(cells[0], experiment, 0.9, 0)


def test_an_edit_and_another_batch_size_name_other_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    code = "from helper import masks\n\n\ndef find(model, loader, ratio):\n    return masks(model, ratio)\n"
    (tmp_path / "edited.py").write_text(code)
    found = []
    for number in (1, 1, 2):
        (tmp_path / "helper.py").write_text(f"NUMBER = {number}\n\n\ndef masks(model, ratio): ...\n")
        for name in ("helper", "edited"):
            if name in sys.modules:
                importlib.reload(sys.modules[name])
        found.append(_key(tmp_path, methods="edited:find"))
    assert found[0] == found[1]
    assert found[1][1] != found[2][1]
    sizes = [_key(tmp_path, methods=f"{HERE}:by_labels", **{"recipe.batch_size": size})[1] for size in (32, 64)]
    assert sizes[0] != sizes[1]


@pytest.mark.parametrize(
    ("signature", "complaint"),
    [
        ("model, ratio", "is called as (model, loader, ratio), but takes (model, ratio); write an adapter"),
        ("model, loader, device, ratio=0.5", "but takes (model, loader, device, ratio)"),
        ("model, loader, ratio, steps", "its parameter 'steps' has no default"),
        ("model, loader, ratio, rounds=3", "its parameter 'rounds' has the name of an option that every method has"),
    ],
)
def test_a_function_that_cannot_be_called_so_is_one_line(tmp_path: Path, signature: str, complaint: str) -> None:
    (tmp_path / "odd.py").write_text(f"def find({signature}): ...\n")
    with pytest.raises(UserError) as raised:
        methods.get(f"{tmp_path / 'odd.py'}:find")
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"with_options.kep": "5"}, "Did you mean 'keep'?"),
        ({"with_options.keep": "many"}, "with_options.keep=many: should be a valid"),
        ({"with_options.loss": "mse"}, "unknown option of"),
        ({"with_options.allocation": "erk"}, "makes its mask itself, so that allocation=erk has no effect"),
        ({"methods": "nowhere.py:find"}, "there is no file nowhere.py"),
        ({"methods": f"{HERE}:SMALL"}, "is neither a class nor a function"),
        ({"checks": "invert"}, "there is no ranking to invert"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    start: Start, capfd: pytest.CaptureFixture[str], given: dict[str, str], complaint: str
) -> None:
    assert start(**{"seeds": "0", "checks": "none", "methods": f"{HERE}:with_options", **given}) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert complaint in errors[0]


def test_a_function_that_no_file_holds_has_a_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprints = []
    for value in (1, 1, 2):
        module = ModuleType("typed")
        exec(f"def find(model, loader, ratio): return {value}", vars(module))
        monkeypatch.setitem(sys.modules, "typed", module)
        fingerprints.append(methods.REGISTRY.fingerprint("typed:find"))
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


@pytest.fixture
def two_files(tmp_path: Path) -> list[str]:
    for folder, kept in (("a", "ones"), ("b", "zeros")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "find.py").write_text(f"def find(model, loader, ratio): return '{kept}'\n")
    return [f"{tmp_path / folder / 'find.py'}:find" for folder in ("a", "b")]


def test_files_of_one_name_are_two_modules(two_files: list[str]) -> None:
    functions = [methods.REGISTRY.load(name).__wrapped__ for name in two_files]
    assert [function(None, None, 0.5) for function in functions] == ["ones", "zeros"]
    assert methods.REGISTRY.fingerprint(two_files[0]) != methods.REGISTRY.fingerprint(two_files[1])
