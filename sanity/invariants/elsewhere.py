"""A device apart from the CPU, without the hardware: tensors there have a shape and a place, but no values.

An operation that mixes them with the CPU's raises, as on a GPU; one that needs a value to go on raises `NeedsValues`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from sanity.data import Dataset, affine

DEVICE = torch.device("meta")  # of the devices without hardware the one that autograd knows
NeedsValues = (DataDependentOutputException, DynamicOutputShapeException)


@contextmanager
def elsewhere() -> Iterator[None]:
    """What is computed inside is computed as to shape, type and device alone; real data are to be made outside."""
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            yield
    finally:
        affine.cache_clear()  # tensors of this place do not outlive it


def moved(module: nn.Module, change: Callable[[Tensor], Tensor] = lambda tensor: tensor.to(DEVICE)) -> nn.Module:
    """`module` with every parameter and buffer changed, to be called inside `elsewhere`, where `nn.Module.to` fails."""
    known: dict[int, nn.Parameter] = {}
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                new = known.get(id(parameter)) or nn.Parameter(change(parameter.detach()), parameter.requires_grad)
                known[id(parameter)] = part._parameters[name] = new
        for name, buffer in part._buffers.items():
            part._buffers[name] = buffer if buffer is None else change(buffer)
    return module


def dataset(data: Dataset) -> Dataset:
    """The data set moved there."""
    return replace(data, examples=data.examples.to(DEVICE), targets=data.targets.to(DEVICE))
