"""Whole channels: which go together, that one stays in every layer, and that they can really be taken out."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import checks
import methods
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import counted, patterns
from sanity.masks.channels import channel_spaces, gone_with
from sanity.masks.small_network import size_of, small_network
from sanity.masks.ticket import Ticket
from sanity.models.base import Model
from sanity.models.bottleneck import ResNetB20
from sanity.models.resnet import ResNet20
from sanity.seeds import generator


class Separable(nn.Module):
    """A depthwise convolution between two others."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm = nn.BatchNorm2d(8)
        self.point = nn.Conv2d(8, 6, 1)
        self.fc = nn.Linear(6 * 36, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.point(torch.relu(self.norm(self.deep(self.stem(x)))))).flatten(1))


def resnet(architecture: type[Model] = ResNet20) -> nn.Module:
    net = architecture(width=4).build((3, 8, 8), 10).double()  # type: ignore[call-arg]
    source = generator(0)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                drawn = torch.randn(tensor.shape, generator=source, dtype=torch.float64)
                tensor.copy_(0.5 + drawn.abs() if "var" in name else drawn * (0.3 if tensor.dim() > 1 else 1))
    return net.eval()


def pruned(net: nn.Module, mask: dict[str, Tensor]) -> nn.Module:
    masked = copy.deepcopy(net)
    with torch.no_grad():
        for name, layer in {**mask, **gone_with(mask, net)}.items():
            masked.get_parameter(name).mul_(layer)
    return masked


def test_a_residual_connection_couples_channels_and_a_depthwise_layer_follows() -> None:
    assert channel_spaces(nets.net("shortcut")) == (
        ("0.weight",),
        ("3.conv1.weight",),
        ("3.conv2.weight", "3.shortcut.weight"),
    )
    assert channel_spaces(nets.net("shortcut"), inner=True) == (("0.weight",), ("3.conv1.weight",))
    assert channel_spaces(Separable(), inner=True) == (("stem.weight", "deep.weight"), ("point.weight",))
    assert channel_spaces(nets.net("perceptron")) == ()


@pytest.mark.parametrize("pattern", ["channel", "inner_channel"])
@pytest.mark.parametrize("name", ["shortcut", "batch_norm", "separable", "resnet", "bottleneck"])
def test_the_small_network_computes_what_the_masked_one_does(name: str, pattern: str) -> None:
    own: dict[str, Callable[[], nn.Module]] = {
        "separable": lambda: Separable().double().eval(),
        "resnet": resnet,
        "bottleneck": partial(resnet, ResNetB20),
    }
    net = own[name]() if name in own else nets.net(name, double=True)
    mask = methods.get("random", pattern=pattern).mask(net, [], 0.5, generator(1))
    left, total = counted(mask, patterns.get(pattern, net))
    assert left == round(total / 2)
    small = small_network(net, {**mask, **gone_with(mask, net)})
    x = torch.randn(
        5, 3, *((8, 8) if name in ("resnet", "bottleneck") else (6, 6)), generator=generator(2), dtype=torch.float64
    )
    torch.testing.assert_close(small(x), pruned(net, mask)(x), rtol=1e-9, atol=1e-12)
    assert not torch.allclose(small(x), net(x))
    for key, layer in mask.items():
        assert len(small.get_parameter(key)) == layer.flatten(1).any(1).sum()
    shape = (3, *x.shape[2:])
    small_size, whole = size_of(small, shape), size_of(net, shape)
    assert small_size.flops < whole.flops
    assert small_size.parameters < whole.parameters


def test_one_channel_stays_in_every_layer_and_a_ratio_beyond_is_refused() -> None:
    net = nets.net("shortcut")
    with torch.no_grad():
        net.get_parameter("0.weight").mul_(1e-6)
    mask = methods.get("magnitude", pattern="channel").mask(net, [], 0.8)
    assert mask["0.weight"].flatten(1).any(1).sum() == 1
    with pytest.raises(
        UserError, match=r"pattern=channel keeps a channel in each of 3 layers of 22 .* at most 0\.8636"
    ):
        methods.get("magnitude", pattern="channel").mask(net, [], 0.9)
    with pytest.raises(UserError, match="pattern=channel: no convolution"):
        methods.get("magnitude", pattern="channel").mask(nets.net("perceptron"), [], 0.5)
    with pytest.raises(UserError, match=r"pattern=channel allocation=erk: .* allocation=global or uniform"):
        methods.get("magnitude", pattern="channel", allocation="erk").mask(net, [], 0.5)
    with pytest.raises(UserError, match="constructs its mask"):
        methods.get("blind", pattern="channel").mask(net, [], 0.5)


def test_uniform_takes_the_same_share_of_every_layer() -> None:
    mask = methods.get("l1_filters", pattern="channel").mask(nets.net("shortcut"), [], 0.5)
    assert {name: int(layer.flatten(1).any(1).sum()) for name, layer in mask.items()} == {
        "0.weight": 3,
        "3.conv1.weight": 4,
        "3.conv2.weight": 4,
        "3.shortcut.weight": 4,
        "6.weight": 4,
    }


def ticket(pattern: str = "channel") -> Ticket:
    net = nets.net("shortcut")
    mask = methods.get("random", pattern=pattern).mask(net, [], 0.5, generator(1))
    return Ticket(net.state_dict(), mask, pattern=pattern, network=net, follows=partial(gone_with, network=net))


def test_a_rearranged_ticket_has_whole_channels_and_coupled_layers_lose_the_same() -> None:
    before = ticket()
    moved = [checks.get("layerwise_rearrange").perturb(before, generator(seed)).mask for seed in range(10)]
    for mask in moved:
        channels = {name: layer.flatten(1).any(1) for name, layer in mask.items()}
        assert torch.equal(channels["3.conv2.weight"], channels["3.shortcut.weight"])
        for name, layer in mask.items():
            assert torch.equal(layer.flatten(1).all(1), channels[name])
            assert layer.sum() == before.mask[name].sum()
    assert len({tuple(mask["3.conv1.weight"].flatten().tolist()) for mask in moved}) > 1


def test_scales_and_shifts_go_with_their_channels_in_the_ticket_that_is_trained() -> None:
    structured = ticket()
    assert set(structured.trained_mask) - set(structured.mask) == {
        "1.weight",
        "1.bias",
        "3.bn1.weight",
        "3.bn1.bias",
        "3.bn2.weight",
        "3.bn2.bias",
    } & set(structured.trained_mask)
    for conv, norm in (("0", "1"), ("3.conv1", "3.bn1"), ("3.conv2", "3.bn2")):
        left = structured.mask[f"{conv}.weight"].flatten(1).any(1)
        for part in ("weight", "bias"):
            assert torch.equal(structured.trained_mask.get(f"{norm}.{part}", torch.ones_like(left)), left)
            assert torch.equal(structured.start()[f"{norm}.{part}"] != 0, left)
    plain = replace(structured, follows=None)
    assert plain.trained_mask is plain.mask
    assert plain.digest() != structured.digest()


def test_permuted_neurons_stay_a_ticket_of_channels_with_the_same_function() -> None:
    before = ticket()
    after = checks.get("permute_neurons").perturb(before, generator(0))
    assert after.pattern == "channel"
    x = torch.randn(4, 3, 6, 6, generator=generator(3))
    outputs = []
    for each in (before, after):
        net = copy.deepcopy(before.network)
        assert net is not None
        net.load_state_dict(each.start())
        outputs.append(net(x))
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize(
    "name", ["rewire", "rearrange_units", "rearrange_kernels", "density_of", "positions_of", "layer_order"]
)
def test_checks_that_move_single_weights_refuse_channels_before_anything_is_trained(name: str) -> None:
    with pytest.raises(UserError, match="pattern=channel"):
        checks.get(name).check_feasible(methods.get("magnitude", pattern="channel"), nets.net("shortcut"))
