"""Simulates a device other than the CPU without the hardware: its tensors have shape and device, but no values.

An operation that mixes them with the CPU's raises `Mixed`; much else that a real device can do is not possible there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from sanity.data.dataset import Dataset, affine

DEVICE = torch.device("meta")  # of the devices without hardware the one that autograd knows


class Mixed(Exception):  # noqa: N818 (what happened, not what to do about it)
    """Raised where one operation gets tensors of two devices."""


class _Generators(TorchFunctionMode):
    """Raises `Mixed` where numbers are drawn there from a generator, all of which are on the CPU."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        source, place = kwargs.get("generator"), kwargs.get("device")
        there = [value for value in args if isinstance(value, Tensor) and value.device == DEVICE]
        if source is not None and (there or (place is not None and torch.device(place) == DEVICE)):
            raise Mixed(f"{getattr(function, '__name__', function)} draws there from a generator on {source.device}")
        return function(*args, **kwargs)


@contextmanager
def on_meta_device() -> Iterator[None]:
    """Context manager; inside, only shapes, types and devices are computed: make real data outside."""
    apply = nn.Module._apply
    try:
        nn.Module._apply = _apply  # type: ignore[method-assign]  # torch's swaps tensors, which these do not allow
        with FakeTensorMode(allow_non_fake_inputs=True), _Generators():
            yield
    except RuntimeError as error:
        if "device" in str(error) and any(word in str(error) for word in ("same", "expected", "different")):
            raise Mixed(str(error)) from error
        raise
    finally:
        nn.Module._apply = apply  # type: ignore[method-assign]
        affine.cache_clear()  # tensors of this place do not outlive it


def _apply(module: nn.Module, change: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
    """Returns `module` with every parameter and buffer changed, as `nn.Module.to` does it; shared ones stay shared."""
    changed_parameters: dict[int, nn.Parameter] = {}
    for part in module.modules() if recurse else [module]:
        for name, parameter in part._parameters.items():
            if parameter is None:
                continue
            if id(parameter) not in changed_parameters:
                changed_parameters[id(parameter)] = nn.Parameter(change(parameter.detach()), parameter.requires_grad)
            part._parameters[name] = changed_parameters[id(parameter)]
        for name, buffer in part._buffers.items():
            part._buffers[name] = None if buffer is None else change(buffer)
    return module


def dataset(data: Dataset) -> Dataset:
    """Returns the data set, moved to the simulated device."""
    return replace(data, examples=data.examples.to(DEVICE), targets=data.targets.to(DEVICE))
