"""Scores, masks and layer counts of published implementations; `golden/README.md` says where they come from."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import methods
from sanity.masks import allocate, kept, size
from sanity.masks.allocation import SmartRatio

GOLDEN = Path(__file__).parent / "golden"

MODES = {"train": "batch", "eval": "running"}


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return load_file(GOLDEN / "scores.safetensors")


@pytest.fixture
def net(golden: dict[str, Tensor]) -> nn.Module:
    parts: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, 8, 3, padding=1),
        "bn1": nn.BatchNorm2d(8),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
        "bn2": nn.BatchNorm2d(16),
        "relu2": nn.ReLU(),
        "pool": nn.AdaptiveAvgPool2d(2),
        "flat": nn.Flatten(),
        "fc": nn.Linear(64, 4),
    }
    model = nn.Sequential()
    for name, part in parts.items():
        model.add_module(name, part)
    model.double().load_state_dict({k[6:]: v for k, v in golden.items() if k.startswith("model/")})
    return model


def take(golden: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    found = {key.removeprefix(prefix): value for key, value in golden.items() if key.startswith(prefix)}
    return {name: found[name] for name in ("conv1.weight", "conv2.weight", "fc.weight")}


def batches(golden: dict[str, Tensor], size: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(golden["examples"].split(size), golden["targets"].split(size), strict=True))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("key", "name", "options", "batch"),
    [
        ("mag", "magnitude", {}, 40),
        ("snip", "snip", {}, 40),
        ("grasp", "grasp", {"temperature": 200.0}, 20),
        ("synflow", "synflow", {}, 40),
    ],
)
def test_scores_equal_the_published_ones(
    golden: dict[str, Tensor], net: nn.Module, mode: str, key: str, name: str, options: dict[str, Any], batch: int
) -> None:
    if name != "magnitude":
        options = {**options, "batch_norm": MODES[mode]}
    ours = methods.get(name, **options).score(net, batches(golden, batch))
    theirs = take(golden, f"{key}/score.{mode}/")
    if name in ("snip", "grasp"):  # the published code divides these by their sum (plus a small constant)
        ours, theirs = _normalised(ours), _normalised(theirs)
    for layer, score in theirs.items():
        torch.testing.assert_close(ours[layer], score, rtol=1e-9, atol=1e-18)


def _normalised(scores: dict[str, Tensor]) -> dict[str, Tensor]:
    total = torch.cat([score.flatten() for score in scores.values()]).sum().abs()
    return {name: score / total for name, score in scores.items()}


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_masks_equal_the_published_ones(golden: dict[str, Tensor], net: nn.Module, name: str) -> None:
    batch = 40 if name == "snip" else 20
    theirs = {layer: mask.bool() for layer, mask in take(golden, f"{name}/mask@0.9/").items()}
    scores = methods.get(name, batch_norm="batch").score(net, batches(golden, batch))
    same_count = allocate(scores, 1 - kept(theirs) / size(theirs))
    assert all(torch.equal(same_count[layer], theirs[layer]) for layer in theirs)
    ours = methods.get(name, batch_norm="batch").mask(net, batches(golden, batch), 0.9)
    assert kept(ours) == round(0.1 * size(ours))
    assert kept(theirs) - kept(ours) == (2 if name == "grasp" else 0)
    assert all(not (ours[layer] & ~theirs[layer]).any() for layer in theirs)


def test_synflow_prunes_as_published_in_100_rounds(golden: dict[str, Tensor], net: nn.Module) -> None:
    theirs = {layer: mask.bool() for layer, mask in take(golden, "synflow/mask.100steps@0.95/").items()}
    ours = methods.get("synflow").mask(net, batches(golden, 40), 0.95)
    differing = sum(int((ours[layer] ^ theirs[layer]).sum()) for layer in theirs)
    assert differing == abs(kept(ours) - kept(theirs)) <= 1


def test_synflow_counted_as_its_code_counts_is_bit_for_bit_the_published_mask(
    golden: dict[str, Tensor], net: nn.Module
) -> None:
    theirs = {layer: mask.bool() for layer, mask in take(golden, "synflow/mask.100steps@0.95/").items()}
    ours = methods.get("synflow", "tanaka2020").mask(net, batches(golden, 40), 0.95)
    assert all(torch.equal(ours[layer], theirs[layer]) for layer in theirs)


@pytest.mark.parametrize(("key", "layers"), [("all", "all"), ("ignore_fc", "openlth")])
def test_iterative_magnitude_prunes_as_openlth(key: str, layers: str) -> None:
    """Every level ranks the weights that were trained under the mask of the level before; 20 % and one more go."""
    values = load_file(GOLDEN / "imp.safetensors")
    names = ("conv1.weight", "conv2.weight", "fc.weight")
    method = methods.get("partially_trained", "frankle2021", layers=layers)
    mask = {name: torch.ones_like(values[f"trained.level00.{name}"], dtype=torch.bool) for name in names}
    for level in range(5):
        net = small_net(mask)
        with torch.no_grad():
            for name in names:
                net.get_parameter(name).copy_(values[f"trained.level{level:02d}.{name}"])
        mask = method.prune(net, [], 1 - 0.8 ** (level + 1), torch.Generator(), mask)
        assert [int(mask[name].sum()) for name in names] == values[f"{key}/kept"][level].tolist()
        if f"{key}/mask.level{level + 1:02d}.fc.weight" in values:
            theirs = {name: values[f"{key}/mask.level{level + 1:02d}.{name}"].bool() for name in names}
            assert all(torch.equal(mask[name], theirs[name]) for name in names)


def small_net(shapes: dict[str, Tensor]) -> nn.Module:
    first, second, last = shapes.values()
    net = nn.Sequential()
    net.add_module("conv1", nn.Conv2d(first.shape[1], first.shape[0], 3))
    net.add_module("conv2", nn.Conv2d(second.shape[1], second.shape[0], 3))
    net.add_module("fc", nn.Linear(last.shape[1], last.shape[0]))
    return net.double()


def _tables() -> list[tuple[str, list[dict[str, Any]]]]:
    return list(json.loads((GOLDEN / "smart_ratio.json").read_text()).items())


@pytest.mark.parametrize(("key", "rows"), _tables(), ids=lambda value: value if isinstance(value, str) else "")
def test_smart_ratio_keeps_the_published_counts(key: str, rows: list[dict[str, Any]]) -> None:
    last = rows[-1]["layer"]
    shapes = {row["layer"]: (row["weights"], 1) if row["layer"] == last else (row["weights"], 1, 1, 1) for row in rows}
    rule = SmartRatio(plain=key.startswith("vgg"))
    assert rule.counts(shapes, float(key.split("/")[-1])) == {row["layer"]: row["kept"] for row in rows}
