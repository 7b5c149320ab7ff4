"""Effective density: which kept weights lie on a live path from input to output."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sanity.masks import Mask, prunable


class _Sign(torch.autograd.Function):
    """Whether there is signal: 1 or 0 on the way forward, 1 or 0 on the way back, so that depth cannot overflow."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(context: Any, *grads: Tensor) -> Tensor:
        return (grads[0] > 0).to(grads[0].dtype)


class _AllPaths(TorchFunctionMode):
    """Lets every path through: pooling averages instead of choosing one, batch norm and dropout pass their input on."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name in ("batch_norm", "dropout", "layer_norm", "group_norm", "instance_norm"):
            return args[0]
        if name.startswith("max_pool2d") or name == "boolean_dispatch":
            window = {key: kwargs[key] for key in ("stride", "padding", "ceil_mode") if key in kwargs}
            return F.avg_pool2d(args[0], *args[1:4], **{k: v for k, v in window.items() if v is not None})
        if name.startswith("adaptive_max_pool2d"):
            return F.adaptive_avg_pool2d(args[0], args[1])
        return function(*args, **kwargs)


def live_weights(model: nn.Module, mask: Mapping[str, Tensor], input_shape: tuple[int, ...]) -> Mask:
    """The weights of `mask` that lie on a path from an input to an output all of whose weights are kept.

    input_shape: (C, H, W) of one example. Exact for networks of convolutions, linear layers, sums, concatenations,
    pooling and monotone activations, found by one forward and one backward pass of the network with its kept weights
    set to one: a weight that only ever meets padding counts as dead. `model` is left as it was.
    """
    net = copy.deepcopy(model).double().train(False)
    weights = prunable(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        for name, weight in weights.items():
            weight.copy_(mask[name])
            weight.requires_grad_(True)
    owners = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [module.register_forward_hook(lambda _module, _inputs, output: _Sign.apply(output)) for module in owners]
    device = next(iter(weights.values())).device
    with torch.autocast(device.type, enabled=False), torch.enable_grad(), _AllPaths():
        output = net(torch.ones(1, *input_shape, dtype=torch.float64, device=device))
        grads = torch.autograd.grad(output.sum(), list(weights.values()), allow_unused=True)
    for hook in hooks:
        hook.remove()
    return {
        name: mask[name] & (grad > 0) if grad is not None else torch.zeros_like(mask[name])
        for name, grad in zip(weights, grads, strict=True)
    }


def effective_density(model: nn.Module, mask: Mapping[str, Tensor], input_shape: tuple[int, ...]) -> float:
    """Live weights over prunable weights, in [0, 1]."""
    live = live_weights(model, mask, input_shape)
    return sum(int(layer.sum()) for layer in live.values()) / sum(layer.numel() for layer in live.values())
