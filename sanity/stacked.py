"""Several fully connected tickets as one network whose weights have one dimension more: one matrix product for all."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def can_stack(model: nn.Module) -> bool:
    """Whether all that `model` learns or remembers sits in plain linear layers."""
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    inside = {id(parameter) for layer in layers for parameter in layer.parameters()}
    learns = all(id(parameter) in inside for parameter in model.parameters())
    random = any(isinstance(module, nn.modules.dropout._DropoutNd) for module in model.modules())
    return bool(layers) and learns and not random and next(model.buffers(), None) is None


def stack(models: Sequence[nn.Module]) -> nn.Module:
    """One network for all `models` of one architecture (see `can_stack`).

    Its input is (tickets * b, ...), the first ticket's batch first, its output likewise; its parameters are named as a
    single network's and have the shape (tickets, ...).
    """
    network = copy.deepcopy(models[0])
    for name, module in list(network.named_modules()):
        if type(module) is nn.Linear:
            layers: Any = [model.get_submodule(name) for model in models]
            if not name:
                return StackedLinear(layers)
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, StackedLinear(layers))
    return network


class StackedLinear(nn.Module):
    """Linear layers side by side: weight (tickets, out, in), bias (tickets, out)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.tickets = len(layers)
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        self.bias = nn.Parameter(torch.stack(biases)) if biases else None

    def forward(self, inputs: Tensor) -> Tensor:
        """(tickets * b, in) to (tickets * b, out), each ticket's rows by its own weights."""
        bias = self.weight.new_zeros(self.tickets, 1) if self.bias is None else self.bias
        outputs = _StackedLinear.apply(inputs.view(self.tickets, -1, inputs.shape[-1]), self.weight, bias)
        return outputs.flatten(0, 1)


class _StackedLinear(torch.autograd.Function):
    """The product with its own backward: autograd's would form the weights' gradient transposed and copy it."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        device = inputs.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        inputs, narrow = inputs.to(dtype), weight.to(dtype)
        ctx.save_for_backward(inputs, narrow)
        ctx.dtype = weight.dtype
        return torch.baddbmm(bias.to(dtype)[:, None], inputs, narrow.mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        inputs, weight = ctx.saved_tensors
        down = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        own = torch.bmm(gradient.mT, inputs).to(ctx.dtype) if ctx.needs_input_grad[1] else None
        shift = gradient.sum(1, dtype=ctx.dtype) if ctx.needs_input_grad[2] else None
        return down, own, shift
