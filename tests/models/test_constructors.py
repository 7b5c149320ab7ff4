"""Networks of anybody's constructor: what the data say and what options say reaches it, names and mistakes, seeds."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sanity.cli.help import about
from sanity.errors import UserError
from sanity.models import build, fingerprint
from sanity.models.check import check_model
from sanity.prunable import prunable, unpruned
from sanity.run import run
from tests.models import constructed
from tests.small_runs import Start

HERE = constructed.__name__
VIT: dict[str, Any] = {"patch_size": "4", "num_layers": "1", "num_heads": "2", "hidden_dim": "16", "mlp_dim": "32"}


def made(name: str, shape: tuple[int, int, int] = (1, 8, 8), seed: int = 0, **options: Any) -> nn.Module:
    network = build(name, shape, 7, generator=torch.Generator().manual_seed(seed), **options)
    check_model(name, network, shape, 7)
    return network


def test_shape_classes_and_options_reach_a_constructor() -> None:
    network = made(f"{HERE}:perceptron", hidden="24", dropout="0.5")
    assert [tuple(weight.shape) for weight in prunable(network).values()] == [(24, 64), (7, 24)]
    assert network.get_submodule("3").p == 0.5
    assert prunable(made(f"{HERE}:perceptron", (1, 12, 12)))["1.weight"].shape == (16, 144)
    oblong = build(f"{HERE}:of_sides", (1, 4, 6), 7)
    assert prunable(oblong)["1.weight"].shape == (7, 24)
    attending = made(f"{HERE}:Sequence", (3, 8, 10), width="8")
    assert attending.get_parameter("rows.weight").shape == (8, 24, 3)
    assert attending.get_parameter("places").shape == (1, 11, 8)


def test_a_file_of_ones_own_is_found_by_its_path_and_hashed(tmp_path: Path) -> None:
    file = tmp_path / "nets.py"
    body = "return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))"
    text = f"from torch import nn\n\ndef small(num_classes):\n    {body}\n"
    hashes = []
    for edit in ("", "# edited\n"):
        file.write_text(text + edit)
        assert prunable(made(f"{file}:small")).keys() == {"1.weight"}
        hashes.append(fingerprint(f"{file}:small"))
    assert all(hashes)
    assert hashes[0] != hashes[1]


def test_torchvisions_networks_keep_their_names_and_draws_and_take_grey_images() -> None:
    from torchvision import models

    options = {key: int(value) for key, value in VIT.items()}
    with torch.random.fork_rng(devices=[]):
        theirs = models.VisionTransformer(image_size=8, num_classes=7, **options).state_dict()
    network = made("torchvision:VisionTransformer", **VIT)
    assert network.state_dict().keys() == theirs.keys()
    assert all(tensor.shape == theirs[name].shape for name, tensor in network.state_dict().items())
    head = network.get_parameter("heads.head.weight")
    assert 0.01 < head.std() < 0.02, "a classifier that starts at zero leaves gradient methods nothing to rank"
    assert head.abs().max() <= 0.04
    kept = build("torchvision:VisionTransformer", (1, 8, 8), 7, init="as_built", **VIT)
    assert not kept.get_parameter("heads.head.weight").any()
    assert network.get_parameter("conv_proj.weight").shape == (16, 3, 4, 4)
    grey = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(network.eval()(grey), network(grey.expand(-1, 3, -1, -1)))
    assert unpruned(network) == {"class_token": 16, "encoder.pos_embedding": 5 * 16}


def test_options_of_the_class_behind_a_builder_are_its_options() -> None:
    narrow = made("torchvision:mobilenet_v2", (3, 32, 32), width_mult="0.25", dropout="0.0")
    weights = prunable(narrow)
    assert weights["features.1.conv.0.0.weight"].shape == (8, 1, 3, 3), "depthwise"
    assert weights["classifier.1.weight"].shape == (7, 1280)
    assert fingerprint("torchvision:mobilenet_v2").startswith("torchvision ")


def test_timms_networks_are_built_for_the_data() -> None:
    pytest.importorskip("timm")
    small: dict[str, Any] = {"patch_size": "4", "embed_dim": "16", "depth": "1", "num_heads": "2"}
    network = made("timm:vit_tiny_patch16_224", **small)
    assert network.get_parameter("patch_embed.proj.weight").shape == (16, 1, 4, 4)
    assert network.get_parameter("head.weight").shape == (7, 16)
    assert network.get_parameter("pos_embed").shape == (1, 5, 16)
    lists = made("timm:convnext_atto", (3, 32, 32), depths="1,1,1,1", dims="8,8,8,8")
    assert len([name for name in prunable(lists) if "conv_dw" in name]) == 4
    widths = made("timm:resnet18", (3, 32, 32), channels="8,8,8,8")
    assert widths.get_parameter("fc.weight").shape == (7, 8), "what ResNets call channels are the widths of its stages"
    with pytest.raises(UserError, match=r"unknown model of timm 'vit_tiny_patch16_225'. Did you mean"):
        made("timm:vit_tiny_patch16_225")


def test_the_help_lists_the_options_that_text_can_set() -> None:
    page = about("torchvision:mobilenet_v2")
    assert "  model.width_mult=preset  (float)" in page
    assert "num_classes" not in page
    assert "norm_layer" not in page


def test_timm_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm.models", None)
    with pytest.raises(UserError, match="timm is not installed; pip install timm"):
        made("timm:vit_tiny_patch16_224")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("torchvision:mobilenet_v4", {}, "unknown model of torchvision 'mobilenet_v4'. Did you mean 'mobilenet_v"),
        ("torchvision:mobilenet_v2", {"widht_mult": 1}, "Did you mean 'width_mult'"),
        (
            "torchvision:mobilenet_v2",
            {"weights": "DEFAULT"},
            "unknown option of model torchvision:mobilenet_v2 'weights'",
        ),
        (
            "torchvision:mobilenet_v2",
            {"width_mult": "wide"},
            "model torchvision:mobilenet_v2.width_mult=wide: should be",
        ),
        ("torchvision:vit_b_16", {"patch_size": 4}, "sets it itself"),
        ("torchvision:vit_b_16", {"patch_size": 4}, "model=torchvision:VisionTransformer leaves it open"),
        ("torchvision:VisionTransformer", {}, "has no default; give it a value"),
        ("torchvision:convnext_tiny", {}, "fails in training on inputs of shape (2, 1, 8, 8)"),
        (f"{HERE}:unsaid", {}, "hidden=: has no default"),
        (f"{HERE}:perceptrn", {}, "cannot be loaded"),
        ("nowhere.py:perceptron", {}, "there is no file nowhere.py"),
    ],
)
def test_mistakes_are_one_line(name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        made(name, **options)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_draws_the_same_under_every_seed_is_refused(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(model=f"{HERE}:seeds_itself", checks="reinit") == 2
    assert "its constructor returns the same weights under every seed" in capsys.readouterr().err
    assert start(model=f"{HERE}:seeds_itself", init="he", checks="reinit", dry_run="true") == 0


def test_reinit_redraws_what_no_rule_draws(tmp_path: Path) -> None:
    first, again = (made(f"{HERE}:Sequence", seed=seed).state_dict() for seed in (0, 1))
    same = {name for name in first if torch.equal(first[name], again[name])}
    assert same == {"norm.weight", "norm.bias", "attention.in_proj_bias", "attention.out_proj.bias"}
    keys = {"model": f"{HERE}:Sequence", "methods": "snip", "checks": "reinit", "ratio": "0.8", "seeds": "0"}
    small = {"recipe.epochs": 1, "dataset.limit": 100, "dataset.test_limit": 50, "results_dir": str(tmp_path)}
    records = run({**keys, **small})
    assert set(records["status"]) == {"done"}
    assert not records[records["check"] == "reinit"]["identical_to_none"].any()
