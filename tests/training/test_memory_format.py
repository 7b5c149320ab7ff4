"""Networks that do not run channels-last train in the contiguous layout, to the weights that a plain loop gives."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sanity.data.dataset import Dataset
from sanity.recipes import Recipe
from sanity.training.batches import draw_epoch
from sanity.training.compute import Compute
from sanity.training.loop import TrainingSpec, train
from sanity.training.memory_format import memory_format
from tests.training.nets import digits, equal, tiny_conv, tiny_mlp

CPU = torch.device("cpu")


class Views(nn.Module):
    """The commonest way to write a small network: a convolution's output viewed as vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.classifier = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 64, 10)

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.classifier(self.convolution(images).relu().view(len(images), -1))
        return outputs


class ViewsInTesting(Views):
    """Views its maps as vectors in evaluation mode only."""

    def forward(self, images: Tensor) -> Tensor:
        maps = self.convolution(images).relu()
        outputs: Tensor = self.classifier(maps.flatten(1) if self.training else maps.view(len(images), -1))
        return outputs


class Solid(nn.Module):
    """A 3-D convolution beside a 2-D one."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.solid = nn.Conv2d(3, 8, 3, padding=1), nn.Conv3d(1, 10, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.solid(self.flat(images).relu().unsqueeze(1))
        return maps.mean((2, 3, 4))


class ViewsImages(nn.Module):
    """The image itself viewed as a vector beside a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.classifier, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(4, 10), nn.Linear(3 * 64, 10)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.classifier(self.convolution(images).relu().mean((2, 3)))
        return maps + self.linear(images.view(len(images), -1))


def colour() -> tuple[Dataset, Dataset]:
    train_data, test_data = (
        replace(split, examples=split.pixels.repeat(1, 3, 1, 1), mean=split.mean * 3, std=split.std * 3)
        for split in digits()
    )
    return train_data, test_data


@pytest.mark.parametrize("build", [Views, ViewsInTesting, Solid, ViewsImages])
def test_networks_that_need_the_contiguous_layout_train_in_it(build: type[nn.Module]) -> None:
    data, model = colour()[0], build()
    recipe = Recipe(epochs=1, batch_size=50, momentum=0.0, lr=0.1)
    (result,) = train([TrainingSpec(model, None, 0)], *colour(), recipe, Compute("cpu", "fp32"))
    expected = copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(expected.parameters(), lr=0.1)
    for index in draw_epoch(0, 0, torch.arange(101), recipe).order[0].split(50):
        optimizer.zero_grad()
        F.cross_entropy(expected(data.normalise(data.pixels[index])), data.targets[index]).backward()
        optimizer.step()
    torch.testing.assert_close(result.weights, dict(expected.state_dict()), rtol=1e-4, atol=1e-6)


def test_others_train_channels_last_and_trying_it_leaves_no_trace() -> None:
    model, noise = tiny_conv(), torch.get_rng_state()
    before = copy.deepcopy(model.state_dict())
    assert memory_format(model, (1, 8, 8), CPU) == torch.channels_last
    assert memory_format(tiny_mlp(), (1, 8, 8), CPU) == torch.contiguous_format
    assert equal(before, model.state_dict())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(noise, torch.get_rng_state())
