"""Network slimming and L1 filters against what their published code gave, and the penalty of the training."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import methods
from sanity.errors import UserError
from sanity.masks import patterns
from sanity.masks.channels import Channels, gone_with
from sanity.masks.small_network import small_network
from sanity.models.resnet import Network
from sanity.prunable import prunable
from sanity.recipes import Recipe
from sanity.training.job import TrainingSpec
from sanity.training.stacked_model import StackedModel
from tests.methods.structured import network, values


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("removed", ["0.3", "0.5", "0.7"])
def test_slimming_keeps_the_published_channels_and_its_small_network_computes_the_published_outputs(
    seed: int, removed: str
) -> None:
    golden = values(f"slimming_{seed}")
    model = network(golden, pool=1)
    mask = methods.get("network_slimming", "liu2017").mask(model, [], float(removed))
    for layer in ("1", "2"):
        left = mask[f"conv{layer}.weight"].flatten(1).any(1)
        assert torch.equal(left, golden[f"mask@{removed}.bn{layer}"].bool())
    assert mask["fc.weight"].all()
    small = small_network(model, {**mask, **gone_with(mask, model)})
    prefix = f"small@{removed}/"
    for key, value in golden.items():
        if key.startswith(prefix):
            torch.testing.assert_close(small.state_dict()[key.removeprefix(prefix)], value)
    torch.testing.assert_close(small(golden["examples"]), golden[f"logits_small@{removed}"])
    torch.testing.assert_close(small(golden["examples"]), golden[f"logits_masked@{removed}"])


@pytest.mark.parametrize("kept", ["half", "first_only"])
def test_l1_filters_keep_the_published_filters(kept: str) -> None:
    golden = values("l1norm_0")
    model = network(golden, pool=2)
    scores = methods.get("l1_filters").score(model, [])
    pattern = patterns.get("channel", model)
    for layer, count in zip(("1", "2"), golden[f"cfg@{kept}"].tolist(), strict=True):
        name = f"conv{layer}.weight"
        torch.testing.assert_close(pattern.reduce(scores[name]), golden[f"l1.conv{layer}"], rtol=1e-12, atol=0)
        if count < len(scores[name]):
            alone = Channels(((name,),))
            shapes = {name: tuple(scores[name].shape)}
            chosen = alone.select({name: alone.reduce(scores[name])}, None, shapes, 0.5, None, count).kept[name]
            assert torch.equal(chosen, golden[f"mask@{kept}.conv{layer}"].bool())


@pytest.mark.parametrize("variant", ["A", "B"])
def test_l1_filters_keep_the_published_filters_of_resnet56(variant: str) -> None:
    """Their layers are numbered in the network's order; the first one of every block is pruned, and no other."""
    golden, model = values("l1norm_resnet56"), Network(3, 10, blocks=9, width=4)
    ours = [name for name, layer in prunable(model).items() if layer.dim() == 4 and "downsample" not in name]
    pattern = patterns.get("inner_channel", model)
    assert isinstance(pattern, Channels)
    layers = golden[f"pruned_layers@{variant}"].tolist()
    assert {names for (names,) in pattern.spaces} == {ours[number - 1] for number in layers}
    with torch.no_grad():
        for number in layers:
            model.get_parameter(ours[number - 1]).copy_(golden[f"weight.{number:02d}"])
    scores = methods.get("l1_filters").score(model.double(), [])
    widths = [len(scores[ours[number - 1]]) for number in layers]
    for number, published in zip(layers, golden[f"mask@{variant}"].split(widths), strict=True):
        name = ours[number - 1]
        shapes = {name: tuple(scores[name].shape)}
        by_filter = {name: pattern.reduce(scores[name])}
        chosen = Channels(((name,),)).select(by_filter, None, shapes, 0.5, None, int(published.sum())).kept[name]
        assert torch.equal(chosen, published.bool())


def test_the_penalty_adds_the_published_gradient() -> None:
    golden = values("slimming_0")
    model = StackedModel([TrainingSpec(network(golden, pool=1), None, 0)], Recipe(), torch.device("cpu"))
    model.network.train()
    F.cross_entropy(model.network(golden["examples"]), golden["targets"]).backward()
    model.penalise_scales(0.0)
    for key in ("without", "with_l1"):
        for name in ("bn1.weight", "bn2.weight"):
            torch.testing.assert_close(model.network.get_parameter(name).grad, golden[f"grad_{key}.{name}"])
        model.penalise_scales(1e-4)


def test_slimming_refuses_channels_that_no_batch_norm_scales() -> None:
    bare = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(UserError, match=r"no batch norm scales the channels of '0\.weight'"):
        methods.get("network_slimming").mask(bare, [], 0.5)


@pytest.mark.parametrize("name", ["l1_filters", "network_slimming"])
def test_they_are_of_channels_alone(name: str) -> None:
    with pytest.raises(UserError, match=rf"{name}\.pattern=2:4"):
        methods.get(name, pattern="2:4")
