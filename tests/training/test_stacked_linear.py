"""Linear layers side by side against each alone: outputs, gradients, weights, and which networks may be stacked."""

import pytest
import torch
from torch import nn

from sanity.training.stacked_linear import StackedLinear, can_stack, stack
from tests.training.nets import tiny_conv, tiny_mlp


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


def test_only_networks_of_plain_linear_layers_are_stacked() -> None:
    assert can_stack(tiny_mlp())
    assert can_stack(nn.Linear(3, 2, bias=False))
    assert not can_stack(tiny_conv())
    assert not can_stack(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))
    assert not can_stack(nn.Sequential(nn.Linear(3, 3), nn.Dropout()))
    assert not can_stack(nn.Flatten())
    shared = nn.Linear(3, 3)
    assert not can_stack(nn.Sequential(shared, nn.ReLU(), shared))
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert not can_stack(tied)
    assert stack([nn.Linear(3, 2, bias=False)] * 2, [{}, {}])(torch.zeros(4, 3)).shape == (4, 2)
