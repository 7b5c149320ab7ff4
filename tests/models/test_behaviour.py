"""What a network does to a batch is told by running it, and running it leaves no trace."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import methods
from sanity.models.behaviour import mixes_examples, uses_global_rng
from tests.training.nets import digits, equal, tiny_conv, tiny_mlp


class Does(nn.Module):
    """Applies a function to what a small network gives out."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.function = tiny_mlp(), function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(self.net(inputs))


class ScaledBranch(nn.Module):
    """Subtracts the mean over the batch, times a scale that starts at zero: outputs alone would not show it."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.scale = tiny_mlp(), nn.Parameter(torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.net(inputs)
        return outputs - self.scale * outputs.mean(0)


class CancelledBias(nn.Module):
    """A bias whose gradient is zero but for rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.bias = tiny_mlp(), nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Tensor) -> Tensor:
        return F.softmax(self.net(inputs) + self.bias, 1)


def batch(count: int = 20) -> tuple[Tensor, Tensor]:
    data = digits()[0]
    return data.normalise(data.pixels[:count]), data.targets[:count]


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (tiny_mlp(), False),
        (tiny_conv().eval(), False),
        (nn.Sequential(tiny_conv(), nn.LayerNorm(10)).eval(), False),
        (CancelledBias(), False),
        (tiny_conv().train(), True),
        (Does(lambda x: x - x.mean(0)), True),
        (Does(lambda x: F.dropout(x, 0.5, training=True)), True),
        (Does(lambda x: x.view(-1, 8, 10).flatten(0, 1)), True),  # does not run on half a batch
        (Does(lambda x: x.view(-1, 4, 10).cumsum(1).flatten(0, 1)), False),
        (ScaledBranch(), True),
    ],
)
def test_networks_that_mix_examples_are_known_by_what_they_do(net: nn.Module, expected: bool) -> None:
    weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    noise, training = torch.get_rng_state(), net.training
    assert mixes_examples(net, batch()[0]) == expected
    assert torch.equal(noise, torch.get_rng_state())
    assert net.training == training
    assert equal(weights, net.state_dict())
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("source", [nn.Dropout(0.1), nn.RReLU(), Does(lambda x: F.dropout(x, 0.2)).function])
def test_networks_that_draw_are_known_by_what_they_do(source: nn.Module) -> None:
    before = torch.get_rng_state()
    net = nn.Sequential(tiny_conv(), source) if isinstance(source, nn.Module) else Does(source)
    weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert uses_global_rng(net, (1, 8, 8))
    assert not uses_global_rng(tiny_conv(), (1, 8, 8))
    assert torch.equal(before, torch.get_rng_state())
    assert equal(weights, net.state_dict())


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_a_methods_chunks_change_no_score(method: str) -> None:
    """A network that subtracts the mean over its batch was cut, and its scores then depended on `chunk`."""
    for net in (Does(lambda x: x - x.mean(0)), tiny_mlp()):
        whole, cut = (
            methods.get(method, chunk=chunk).score(net.double(), [batch()], torch.Generator()) for chunk in (256, 7)
        )
        for name, scores in whole.items():
            torch.testing.assert_close(cut[name], scores, rtol=1e-9, atol=1e-12)
