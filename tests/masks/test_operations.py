"""Operations are two for each weight and place that it meets; what torch counts, of every network of ours."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sanity import models
from sanity.masks.operations import _is_plain, operations

SHAPE = (3, 32, 32)


class Attention(nn.Module):
    """Multiplies its examples with each other, outside of every layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.layer(x.flatten(2).transpose(1, 2))
        return rows @ rows.transpose(1, 2)


def torchs(net: nn.Module) -> int:
    with FlopCounterMode(display=False) as counter:
        copy.deepcopy(net).eval()(torch.zeros(2, *SHAPE, device=next(net.parameters()).device))
    return int(counter.get_total_flops()) // 2


def test_they_are_two_a_weight_in_a_linear_layer() -> None:
    counted = operations(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (1, 8, 8))
    assert (counted.total, counted.layers) == (1280, {"1.weight": 1280})


@pytest.mark.parametrize("name", models.REGISTRY.names())
def test_those_of_our_networks_are_counted_in_their_layers(name: str) -> None:
    with torch.device("meta"):
        net = models.REGISTRY.load(name)().build(SHAPE, 10)
    assert all(map(_is_plain, net.modules()))
    counted = operations(net, SHAPE)
    assert counted.total == sum(counted.layers.values()) == torchs(net)


@pytest.mark.parametrize("net", [Attention(), nn.ConvTranspose2d(3, 4, 3, stride=2), nn.Conv2d(3, 6, 3, groups=3)])
def test_those_of_others_are_what_torch_counts(net: nn.Module) -> None:
    assert operations(net, SHAPE).total == torchs(net)
