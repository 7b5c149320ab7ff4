"""Stacks fully connected networks into one whose weights have one dimension more: one matrix product for all."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sanity.training.ticket_share import Shares, SparseStacked, Stacked

_SPARSE = 0.25
"""Density up to which moving the kept weights in and out costs less than carrying the pruned ones along."""


def can_stack(model: nn.Module) -> bool:
    """Whether all that `model` learns or remembers sits in plain linear layers, each in one place."""
    for found in (model.named_modules, model.named_parameters):
        if len(list(found())) != len(list(found(remove_duplicate=False))):
            return False
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    inside = {id(parameter) for layer in layers for parameter in layer.parameters()}
    learns = all(id(parameter) in inside for parameter in model.parameters())
    random = any(isinstance(module, nn.modules.dropout._DropoutNd) for module in model.modules())
    return bool(layers) and learns and not random and next(model.buffers(), None) is None


def is_sparse(mask: Mapping[str, Tensor] | None) -> bool:
    """Whether stacks of tickets with such masks would, over all layers, hold the kept weights alone."""
    if not mask:
        return False
    return sum(int(layer.sum()) for layer in mask.values()) <= _SPARSE * sum(layer.numel() for layer in mask.values())


def stack(models: Sequence[nn.Module], masks: Sequence[Mapping[str, Tensor]]) -> nn.Module:
    """One network for all `models` of one architecture (see `can_stack`), with a mask (or an empty mapping) each.

    Its input is (tickets * b, ...), the first ticket's batch first, its output likewise; its parameters are named as a
    single network's and have the shape (tickets, ...), but for the weights of layers that are sparse.
    """
    network = copy.deepcopy(models[0])
    for name, module in list(network.named_modules()):
        if type(module) is nn.Linear:
            layers: Any = [model.get_submodule(name) for model in models]
            weight = f"{name}.weight" if name else "weight"
            keeps = [mask[weight] for mask in masks if weight in mask]
            stacked = StackedLinear(layers, keeps if len(keeps) == len(masks) else None)
            if not name:
                return stacked
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, stacked)
    return network


class StackedLinear(nn.Module):
    """Linear layers side by side: weight (tickets, out, in), bias (tickets, out).

    Where few weights are kept, `weight` holds those alone, (kept,), one ticket's after the other: what is pruned is not
    there, and gradient, momentum, decay and the conversion to bf16 touch a twentieth of the memory.
    """

    where: Tensor | None
    """Where the kept weights stand in (tickets, out, in), flattened; None: all are there."""

    def __init__(self, layers: Sequence[nn.Linear], keeps: Sequence[Tensor] | None = None) -> None:
        super().__init__()
        self.tickets = len(layers)
        whole = torch.stack([layer.weight.detach() for layer in layers])
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        self.bias = nn.Parameter(torch.stack(biases)) if biases else None
        self.shape: torch.Size = whole.shape
        self.counts: list[int] = []
        self.register_buffer("where", None, persistent=False)
        if keeps is not None and (kept := torch.stack(list(keeps)).bool()).float().mean() <= _SPARSE:
            self.counts = kept.flatten(1).sum(1).tolist()
            whole = whole[kept]
            self.where = kept.flatten().nonzero().flatten()
        self.weight = nn.Parameter(whole)
        self._canvas: Tensor | None = None

    def shares(self, tensor: Tensor) -> Shares:
        """The tickets' shares of `weight`, or of a tensor shaped like it."""
        if self.where is None:
            return Stacked(tensor)
        entries = self.shape[1] * self.shape[2]
        places = [part - ticket * entries for ticket, part in enumerate(self.where.split(self.counts))]
        return SparseStacked(tensor, places, self.shape[1:])

    def forward(self, inputs: Tensor) -> Tensor:
        """(tickets * b, ..., in) to (tickets * b, ..., out), each ticket's rows by its own weights."""
        device = inputs.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.weight.dtype
        if self.where is not None and (self._canvas is None or self._canvas.dtype != dtype):
            self._canvas = torch.zeros(self.shape, dtype=dtype, device=inputs.device)
        bias = self.weight.new_zeros(self.tickets, 1) if self.bias is None else self.bias
        rows = inputs.reshape(self.tickets, -1, inputs.shape[-1]).to(dtype)
        outputs: Tensor = _StackedLinear.apply(rows, self.weight, bias, self.where, self._canvas)
        return outputs.view(*inputs.shape[:-1], -1)


class _StackedLinear(torch.autograd.Function):
    """The product with its own backward: autograd's would form the weights' gradient transposed and copy it."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, where: Tensor | None, canvas: Tensor | None
    ) -> Tensor:
        matrix = weight.to(inputs.dtype)
        if where is not None and canvas is not None:
            canvas.view(-1).index_copy_(0, where, matrix)
            matrix = canvas
        ctx.save_for_backward(inputs, matrix, where)
        ctx.dtype = weight.dtype
        return torch.baddbmm(bias.to(inputs.dtype)[:, None], inputs, matrix.mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        inputs, matrix, where = ctx.saved_tensors
        down = torch.bmm(gradient, matrix) if ctx.needs_input_grad[0] else None
        own = torch.bmm(gradient.mT, inputs)
        if where is not None:
            own = own.view(-1).index_select(0, where)
        return down, own.to(ctx.dtype), gradient.sum(1, dtype=ctx.dtype), None, None
