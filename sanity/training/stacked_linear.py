"""Stacks fully connected networks into one whose weights have one dimension more: one matrix product for all."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sanity.models.behaviour import agree, outputs_and_gradients, uses_global_rng
from sanity.training.ticket_share import Shares, SparseStacked, Stacked

_SPARSE = 0.25
"""Density up to which moving the kept weights in and out costs less than carrying the pruned ones along."""


def why_not_stacked(model: nn.Module, images: Tensor) -> str:
    """Says why networks like `model` cannot be trained as one stack; empty where they can.

    All that a network learns or remembers must sit in plain linear layers, each used in one place. Whether its forward
    treats examples one by one is told by trying: two unequal tickets are passed, forward and backward, through a stack
    and alone, on the first and second half of `images`.
    """
    if not _is_linear(model):
        return "not all that the network learns sits in plain linear layers, each in one place"
    if uses_global_rng(model, images.shape[1:]):
        return "the network draws random numbers"
    size = len(images) // 2
    if not size:
        return "there is one example"
    tickets = [copy.deepcopy(model).to(images.device).train() for _ in range(2)]
    with torch.no_grad():
        for parameter in tickets[1].parameters():
            parameter.copy_(parameter.flatten().flip(0).view_as(parameter))
    first, first_gradients = outputs_and_gradients(tickets[0], images[:size], 0)
    second, second_gradients = outputs_and_gradients(tickets[1], images[size : 2 * size], size)
    try:
        outputs, gradients = outputs_and_gradients(stack(tickets, [{}, {}]), images[: 2 * size], 0)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:  # from a forward that knows its shapes
        return f"the network does not run in a stack ({str(error).splitlines()[0]})"
    expected = {name: torch.stack([first_gradients[name], second_gradients[name]]) for name in gradients}
    same = agree([outputs], [torch.cat([first, second])]) and agree(list(gradients.values()), list(expected.values()))
    return "" if same else "the network mixes the examples of a batch"


def _is_linear(model: nn.Module) -> bool:
    """Returns whether all that `model` learns or remembers sits in plain linear layers, each in one place."""
    for named in (model.named_modules, model.named_parameters):
        if len(list(named())) != len(list(named(remove_duplicate=False))):
            return False
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    inside = {id(parameter) for layer in layers for parameter in layer.parameters()}
    learns = all(id(parameter) in inside for parameter in model.parameters())
    return bool(layers) and learns and next(model.buffers(), None) is None


def is_sparse(mask: Mapping[str, Tensor] | None) -> bool:
    """Returns whether stacks of tickets with such masks would, over all layers, hold the kept weights alone."""
    if not mask:
        return False
    return sum(int(layer.sum()) for layer in mask.values()) <= _SPARSE * sum(layer.numel() for layer in mask.values())


def stack(models: Sequence[nn.Module], masks: Sequence[Mapping[str, Tensor]]) -> nn.Module:
    """Builds one network for all `models` of one architecture, which have a mask or an empty mapping each.

    Only for networks to which `why_not_stacked` has no objection.

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
    """Holds linear layers side by side: weight (tickets, out, in), bias (tickets, out).

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
        """Returns the tickets' shares of `weight`, or of a tensor shaped like it."""
        if self.where is None:
            return Stacked(tensor)
        entries = self.shape[1] * self.shape[2]
        places = [part - ticket * entries for ticket, part in enumerate(self.where.split(self.counts))]
        return SparseStacked(tensor, places, self.shape[1:])

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps (tickets * b, ..., in) to (tickets * b, ..., out), each ticket's rows by its own weights."""
        device = inputs.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.weight.dtype
        if self.where is not None and (self._canvas is None or self._canvas.dtype != dtype):
            self._canvas = torch.zeros(self.shape, dtype=dtype, device=inputs.device)
        bias = self.weight.new_zeros(self.tickets, 1) if self.bias is None else self.bias
        rows = inputs.reshape(self.tickets, -1, inputs.shape[-1]).to(dtype)
        outputs: Tensor = _StackedLinear.apply(rows, self.weight, bias, self.where, self._canvas)
        return outputs.view(*inputs.shape[:-1], -1)


class _StackedLinear(torch.autograd.Function):
    """Computes the product; its own backward avoids autograd's transposed copy of the weights' gradient."""

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
