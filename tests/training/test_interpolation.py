"""The line between two networks: its ends, its middle, and statistics that belong to the weights."""

import pytest
import torch
from torch import nn

from sanity.data.dataset import Dataset
from sanity.recipes import Recipe
from sanity.training.interpolation import POINTS, barrier, errors, interpolated

CPU = torch.device("cpu")


def dark_and_light(count: int = 40) -> Dataset:
    """Returns images of one pixel: dark ones of class 0, light ones of class 1."""
    targets = torch.arange(count) % 2
    images = (targets * 255).to(torch.uint8).view(count, 1, 1, 1)
    return Dataset(images, targets, 2, (0.5,), (0.5,))


class Line(nn.Module):
    """Two weights in a row on one pixel: the sign of their product decides, so that both may change their signs."""

    def __init__(self, weight: float, norm: bool = False) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        self.norm = nn.BatchNorm1d(1, affine=False) if norm else nn.Identity()
        with torch.no_grad():
            self.first.weight.fill_(weight)
            self.second.weight.fill_(weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logit = self.second(self.norm(self.first(x.flatten(1)))) - 0.01
        return torch.cat([torch.zeros_like(logit), logit], 1)


def line(first: Line, second: Line) -> list[float]:
    ends = first.state_dict(), second.state_dict()
    data = dark_and_light()
    net = Line(1, isinstance(first.norm, nn.BatchNorm1d))
    return errors(net, ends, (data, data), Recipe(), CPU, "fp32")[1]


def test_the_same_function_with_other_signs_has_a_barrier() -> None:
    """Both ends are right; half-way all weights are zero, and the network always says class 0."""
    on_line = line(Line(1.0), Line(-1.0))
    assert len(on_line) == POINTS
    assert on_line[0] == on_line[-1] == 0
    assert on_line[POINTS // 2] == 50
    assert barrier(on_line) == 50


def test_a_network_has_no_barrier_to_itself_or_to_a_multiple() -> None:
    assert barrier(line(Line(1.0), Line(1.0))) == 0
    assert barrier(line(Line(1.0), Line(3.0))) == 0


def test_a_barrier_is_taken_from_the_line_between_the_ends() -> None:
    assert barrier([0.0, 10.0, 20.0]) == 0
    assert barrier([0.0, 30.0, 20.0]) == 20
    assert barrier([10.0, 0.0, 10.0]) == 0


def test_statistics_are_those_of_the_weights_at_each_point() -> None:
    """An end whose running statistics belong to other weights is wrong; measured anew, all points are right."""
    stale = Line(3.0, norm=True)
    stale.norm.load_state_dict({**stale.norm.state_dict(), "running_mean": torch.tensor([9.0])})
    assert line(Line(1.0, norm=True), stale) == [0.0] * POINTS


def test_interpolation_is_linear_and_leaves_counts() -> None:
    first = {"w": torch.tensor([0.0, 4.0]), "seen": torch.tensor(7)}
    second = {"w": torch.tensor([2.0, 0.0]), "seen": torch.tensor(9)}
    middle = interpolated(first, second, 0.25)
    assert middle["w"].tolist() == pytest.approx([0.5, 3.0])
    assert middle["seen"] == 7
