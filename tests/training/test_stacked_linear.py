"""Linear layers side by side against each alone: outputs, gradients, weights, and which networks may be stacked."""

import pytest
import torch
from torch import Tensor, nn

from sanity.training.stacked_linear import StackedLinear, stack, why_not_stacked
from tests.training.nets import Mean, Rows, digits, equal, tiny_conv, tiny_mlp


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_stacked_layer_has_the_gradients_of_its_layers(dtype: torch.dtype, sparse: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    layers = [nn.Linear(5, 3), nn.Linear(5, 3)]
    keeps = [torch.tensor([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 1]]).bool(), torch.eye(3, 5).bool()]
    if sparse:
        for layer, keep in zip(layers, keeps, strict=True):
            layer.weight.data *= keep
    inputs = torch.randn(2, 4, 5, generator=generator).requires_grad_()
    upstream = torch.randn(2, 4, 3, generator=generator)
    stacked = StackedLinear(layers, keeps if sparse else None)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        outputs = stacked(inputs.flatten(0, 1))
    (outputs.float() * upstream.flatten(0, 1)).sum().backward()
    assert outputs.dtype == dtype
    assert stacked.weight.shape == ((6,) if sparse else (2, 3, 5))
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    for index, (layer, keep) in enumerate(zip(layers, keeps, strict=True)):
        expected = layer(inputs[index])
        torch.testing.assert_close(outputs.view(2, 4, 3)[index].float(), expected, rtol=tolerance, atol=tolerance)
        own = torch.autograd.grad((expected * upstream[index]).sum(), [inputs, layer.weight, layer.bias])
        ours = [inputs.grad, stacked.weight.grad, stacked.bias.grad if stacked.bias is not None else None]
        whole = stacked.shares(stacked.weight.grad).read(index) if stacked.weight.grad is not None else None
        shares = [gradient[index] if gradient is not None else None for gradient in (ours[0], ours[2])]
        pairs = ((shares[0], own[0][index]), (whole, own[1] * keep if sparse else own[1]), (shares[1], own[2]))
        for share, alone in pairs:
            torch.testing.assert_close(share, alone, rtol=tolerance, atol=tolerance)


def test_a_sparse_layer_gives_back_each_tickets_weights() -> None:
    layers = [nn.Linear(9, 4) for _ in range(3)]
    keeps = [torch.rand(4, 9, generator=torch.Generator().manual_seed(seed)) < 0.2 for seed in range(3)]
    stacked = StackedLinear(layers, keeps)
    for index, (layer, keep) in enumerate(zip(layers, keeps, strict=True)):
        shares = stacked.shares(stacked.weight.detach())
        assert torch.equal(shares.read(index), layer.weight * keep)
        changed = torch.randn(4, 9)
        shares.write(index, changed)
        assert torch.equal(shares.read(index), changed * keep)


@pytest.mark.parametrize("density", [0.1, 0.9])
def test_a_linear_layer_on_sequences_is_stacked_too(density: float) -> None:
    layers = [nn.Linear(9, 4) for _ in range(2)]
    keeps = [torch.rand(4, 9, generator=torch.Generator().manual_seed(seed)) < density for seed in range(2)]
    for layer, keep in zip(layers, keeps, strict=True):
        layer.weight.data *= keep
    inputs = torch.randn(6, 5, 9)  # 3 examples a ticket, each of 5 tokens
    outputs = StackedLinear(layers, keeps)(inputs)
    expected = torch.cat([layer(part) for layer, part in zip(layers, inputs.chunk(2), strict=True)])
    torch.testing.assert_close(outputs, expected)


class KnowsItsBatch(nn.Module):
    """Asks for the batch that it was written for."""

    def forward(self, inputs: Tensor) -> Tensor:
        if len(inputs) > 16:
            raise ValueError("at most 16 examples")
        return inputs


def images() -> Tensor:
    data = digits()[0]
    return data.normalise(data.pixels[:32])


def linear(*further: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), *further)


def test_networks_that_may_be_stacked_are_known_by_what_they_do() -> None:
    shared = nn.Linear(10, 10)
    tied = linear(nn.Linear(10, 10), nn.Linear(10, 10))
    tied[3].weight = tied[2].weight  # type: ignore[index]
    for network in (tiny_mlp(), Rows(), linear(nn.LayerNorm(10, elementwise_affine=False)), linear(nn.Softmax(1))):
        assert why_not_stacked(network, images()) == ""
    for network, reason in (
        (tiny_conv(), "plain linear layers"),
        (nn.Flatten(), "plain linear layers"),
        (linear(nn.BatchNorm1d(10)), "plain linear layers"),
        (linear(shared, nn.ReLU(), shared), "plain linear layers"),
        (tied, "plain linear layers"),
        (linear(nn.Dropout()), "random"),
        (linear(Mean()), "mixes the examples"),
        (linear(nn.BatchNorm1d(10, affine=False, track_running_stats=False)), "mixes the examples"),
        (linear(nn.Softmax(0)), "mixes the examples"),
        (linear(KnowsItsBatch()), "at most 16 examples"),
    ):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        assert reason in why_not_stacked(network, images())
        assert equal(before, network.state_dict())
    assert stack([nn.Linear(3, 2, bias=False)] * 2, [{}, {}])(torch.zeros(4, 3)).shape == (4, 2)
