"""Which hidden units a network has, and the networks whose wiring is not understood."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.masks.wiring import Axis, Units, hidden_units
from sanity.models import build
from sanity.seeds import generator


def test_the_units_of_a_perceptron_are_rows_of_a_layer_and_columns_of_the_next() -> None:
    network = build("lenet_300_100", (1, 2, 2), 3, generator=generator(0))
    assert hidden_units(network) == [
        Units(300, (Axis("1.weight", 0, 1), Axis("1.bias", 0, 1), Axis("3.weight", 1, 1))),
        Units(100, (Axis("3.weight", 0, 1), Axis("3.bias", 0, 1), Axis("5.weight", 1, 1))),
    ]


def test_a_flattened_channel_is_a_block_of_the_next_layer() -> None:
    units = hidden_units(build("lenet5", (1, 8, 8), 3, generator=generator(0)))
    assert units[1].axes[-1] == Axis("5.weight", 1, 4)


def test_a_residual_connection_ties_the_channels_of_its_stage() -> None:
    units = hidden_units(build("resnet8", (3, 8, 8), 10, generator=generator(0)))
    assert sorted(group.count for group in units) == [16, 16, 32, 32, 64, 64]
    stage = next(group for group in units if Axis("conv1.weight", 0, 1) in group.axes)
    assert {Axis("layer1.0.conv2.weight", 0, 1), Axis("layer2.0.downsample.0.weight", 1, 1)} <= set(stage.axes)


class Custom(nn.Module):
    """Two convolutions, and between them whatever a test asks for."""

    def __init__(self, between: Callable[[Tensor], Tensor], width: int = 4) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 1), nn.Conv2d(width, 2, 1)
        self.between = between

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.between(self.first(images))).mean((2, 3))


@pytest.mark.parametrize(
    ("between", "width", "culprit"),
    [
        (lambda values: torch.cat([values, values], 1), 8, "cat"),
        (lambda values: values.flip(1), 4, "flip"),
        (lambda values: values[:, :2], 2, "getitem"),
        (nn.GroupNorm(2, 4), 4, r"'between' \(GroupNorm\)"),
        (nn.Conv2d(4, 4, 1, groups=2), 4, r"'between' \(Conv2d\)"),
        (lambda values: values if values.sum() > 0 else -values, 4, "cannot be traced"),
        (lambda values: values * torch.arange(values.size(1)).view(-1, 1, 1), 4, "arange"),
        (lambda values: torch.layer_norm(values, (4, 2, 2)), 4, "layer_norm"),
        (nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1)), 4, r"'between' \(Parametrized"),
    ],
)  # fmt: skip
def test_wiring_that_is_not_understood_is_refused_with_its_place(
    between: Callable[[Tensor], Tensor], width: int, culprit: str
) -> None:
    with pytest.raises(UserError, match=culprit):
        hidden_units(Custom(between, width))


def tied() -> nn.Module:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(4, 6), nn.Linear(6, 2))
    network[3].weight = network[1].weight
    return network


def reused() -> nn.Module:
    layer = nn.Conv2d(1, 1, 1)
    return nn.Sequential(layer, layer, nn.Conv2d(1, 2, 1))


@pytest.mark.parametrize(
    ("network", "culprit"),
    [
        (tied(), r"'3' \(Linear\)"),
        (reused(), r"'0' \(Conv2d\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.MaxPool1d(3, 1, 1), nn.Linear(6, 2)), r"'2' \(MaxPool1d\)"),
        (nn.Sequential(nn.Linear(2, 4), nn.Flatten(), nn.Linear(8, 2)), r"'0' \(Linear\)"),
    ],
    ids=["a weight that reads the input and hidden units", "a layer used twice", "a pool over units", "not flattened"],
)
def test_units_that_cannot_move_alone_are_refused(network: nn.Module, culprit: str) -> None:
    with pytest.raises(UserError, match=rf"wiring of this network is not understood at {culprit}"):
        hidden_units(network)


def test_a_network_without_hidden_units_is_refused() -> None:
    with pytest.raises(UserError, match="no hidden units"):
        hidden_units(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))
