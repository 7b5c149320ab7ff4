"""Every model: exact weight counts, layer order, any input size, the user's mistakes."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from sanity.errors import UserError
from sanity.models import REGISTRY, build

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64)]


def layers(model: nn.Module) -> dict[str, int]:
    """Prunable weights per layer, in module order."""
    return {
        name: module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


@pytest.mark.parametrize(
    ("name", "options", "shape", "classes", "weights"),
    [
        ("lenet_300_100", {}, (1, 28, 28), 10, 266_200),
        ("lenet5", {}, (1, 28, 28), 10, 430_500),
        ("lenet5_small", {}, (1, 28, 28), 10, 61_470),
        ("conv2", {}, (3, 32, 32), 10, 4_300_992),
        ("conv4", {}, (3, 32, 32), 10, 2_425_024),
        ("conv6", {}, (3, 32, 32), 10, 2_261_184),
        ("resnet20", {}, (3, 32, 32), 10, 270_896),
        ("resnet32", {"width": 32}, (3, 32, 32), 10, 1_855_584),
        ("resnet32", {"width": 32}, (3, 32, 32), 100, 1_867_104),
        ("vgg19", {}, (3, 32, 32), 10, 20_024_000),
        ("vgg19", {"bias": True}, (3, 32, 32), 100, 20_070_080),
        ("vgg16", {}, (3, 32, 32), 10, 14_715_584),
        ("vgg16", {"hidden": "512,512", "hidden_norm": True}, (3, 32, 32), 10, 14_715_584 + 2 * 512**2),
        ("vgg16", {"hidden": (4096, 4096)}, (3, 32, 32), 10, 14_715_584 + 512 * 4096 + 4096**2 + 10 * (4096 - 512)),
    ],
)
def test_published_counts(name: str, options: dict, shape: tuple, classes: int, weights: int) -> None:
    assert sum(layers(build(name, shape, classes, **options)).values()) == weights


@pytest.mark.parametrize(
    ("name", "prunable"),
    [
        *[
            ("resnet8", 10),
            ("resnet20", 22),
            ("resnet32", 34),
            ("resnet44", 46),
            ("resnet56", 58),
            ("resnet110", 112),
            ("resnetb20", 23),
            ("resnetb56", 59),
            ("resnetb110", 113),
        ],
        *[("vgg11", 9), ("vgg13", 11), ("vgg16", 14), ("vgg19", 17), ("resnet18", 21), ("resnet50", 54)],
    ],
)
def test_number_of_layers(name: str, prunable: int) -> None:
    assert len(layers(build(name, (3, 32, 32), 10))) == prunable


def test_resnet32_layer_order_is_that_of_the_smart_ratio() -> None:
    found = layers(build("resnet32", (3, 32, 32), 10, width=32))
    first = [("conv1", 864)] + [(f"layer1.{i}.conv{j}", 9216) for i in range(5) for j in (1, 2)]
    second = [("layer2.0.conv1", 18432), ("layer2.0.conv2", 36864), ("layer2.0.downsample.0", 2048)]
    second += [(f"layer2.{i}.conv{j}", 36864) for i in range(1, 5) for j in (1, 2)]
    third = [("layer3.0.conv1", 73728), ("layer3.0.conv2", 147456), ("layer3.0.downsample.0", 8192)]
    third += [(f"layer3.{i}.conv{j}", 147456) for i in range(1, 5) for j in (1, 2)]
    assert list(found.items()) == [*first, *second, *third, ("fc", 1280)]


def test_vgg19_layer_order() -> None:
    convolutions = [1728, 36864, 73728, 147456, 294912, *[589824] * 3, 1179648, *[2359296] * 7]
    places = [0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49]
    expected = [(f"features.{place}", count) for place, count in zip(places, convolutions, strict=True)]
    assert list(layers(build("vgg19", (3, 32, 32), 10)).items()) == [*expected, ("classifier", 5120)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "name", [name for name in REGISTRY.names() if name not in ("resnet110", "resnetb110", "vgg19", "resnet50")]
)
def test_any_input_size_trains_every_weight(name: str, shape: tuple[int, int, int]) -> None:
    model = build(name, shape, 7, generator=torch.Generator().manual_seed(0))
    logits = model(torch.randn(3, *shape, generator=torch.Generator().manual_seed(1)))
    assert logits.shape == (3, 7)
    nn.functional.cross_entropy(logits, torch.tensor([0, 3, 6])).backward()
    dead = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    # A bias in front of batch norm has no effect on the loss, so only weights are asked for.
    assert [key for key in dead if not key.endswith("bias")] == []


@pytest.mark.parametrize("shape", [(3, 2, 5), (2, 1, 1), (4, 17, 40)], ids=str)
@pytest.mark.parametrize("name", ["lenet_300_100", "resnet8", "vgg11", "resnet18"])
def test_odd_shapes(name: str, shape: tuple[int, int, int]) -> None:
    assert build(name, shape, 3).eval()(torch.zeros(2, *shape)).shape == (2, 3)


def test_vgg_bias_is_an_option() -> None:
    without, with_bias = (build("vgg11", (3, 32, 32), 10, bias=bias).state_dict() for bias in (False, True))
    assert with_bias.keys() - without.keys() == {f"features.{place}.bias" for place in (0, 4, 8, 11, 15, 18, 22, 25)}


@pytest.mark.parametrize(("side", "stride", "pooled"), [(64, 1, False), (65, 2, True)])
def test_small_image_stem(side: int, stride: int, pooled: bool) -> None:
    modules = dict(build("resnet18", (3, side, side), 10).named_modules())
    assert modules["conv1"].stride == (stride, stride)
    assert isinstance(modules["maxpool"], nn.MaxPool2d) == pooled


@pytest.mark.parametrize(("stem", "stride"), [("small", 1), ("large", 2), ("auto", 1)])
def test_the_stem_can_be_chosen(stem: str, stride: int) -> None:
    modules = dict(build("resnet18", (3, 64, 64), 10, stem=stem).named_modules())
    assert modules["conv1"].stride == (stride, stride)
    assert isinstance(modules["maxpool"], nn.MaxPool2d) == (stride == 2)


def test_hidden_linear_layers_of_vgg_have_what_is_asked_for_and_stand_before_the_classifier() -> None:
    net = build("vgg11", (3, 32, 32), 10, hidden="32,16", hidden_norm="true", dropout="0.5", norm_eps=0.001)
    kinds = [type(part).__name__ for part in net.get_submodule("hidden").children()]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 2
    assert net.get_submodule("hidden.1").eps == 0.001
    assert list(layers(net))[-3:] == ["hidden.0", "hidden.4", "classifier"]
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("resnet23", (3, 32, 32), 10), {}, ["resnet23", "Did you mean 'resnet"]),
        (("lenet5", (1, 3, 28), 10), {}, ["lenet5", "3x28", "4x4"]),
        (("conv4", (1, 2, 2), 10), {}, ["conv4", "2x2", "4x4"]),
        (("resnet8", (3, 32), 10), {}, ["channels, height, width"]),
        (("resnet8", (0, 32, 32), 10), {}, ["(0, 32, 32)"]),
        (("resnet8", (3, 32, 32), 1), {}, ["classes=1"]),
        (("resnet8", (3, 32, 32), 10), {"width": 0}, ["width=0"]),
        (("resnet8", (3, 32, 32), 10), {"stem": "large"}, ["stem"]),
        (("resnet18", (3, 32, 32), 10), {"stem": "tiny"}, ["stem=tiny"]),
        (("vgg11", (3, 32, 32), 10), {"hidden": "512,0"}, ["hidden=0"]),
        (("vgg11", (3, 32, 32), 10), {"init": "goyal2017"}, ["vgg11", "residual branches"]),
        (("resnet8", (3, 32, 32), 10), {"widht": 8}, ["widht", "Did you mean 'width'"]),
        (("resnet8", (3, 32, 32), 10), {"init": "kaiming"}, ["initialisation 'kaiming'", "kaiming_fan_in"]),
    ],
)
def test_mistakes_are_one_line(arguments: tuple, options: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        build(*arguments, **options)
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_names_and_summaries_need_no_torch() -> None:
    code = (
        "import sys; from sanity.models import INITS, REGISTRY; from sanity.data import REGISTRY as DATA\n"
        "for registry in (INITS, REGISTRY, DATA):\n"
        "    assert all(len(registry.summary(name)) > 20 for name in registry.names()), registry.kind\n"
        "assert not {'torch', 'torchvision', 'numpy', 'sklearn', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_batch_norm_of_a_vgg_is_what_its_options_say() -> None:
    model = build("vgg11", (3, 32, 32), 10, norm_affine=False, norm_momentum=0.01, norm_eps=0.001)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.weight, norm.bias, norm.momentum, norm.eps) for norm in norms} == {(None, None, 0.01, 0.001)}
